"""Reports: figures as data become drawings, pages and files. Imports no PyTorch."""

from overparam.report.content import Content, describe
from overparam.report.study import Study

__all__ = ["Content", "Study", "describe"]
