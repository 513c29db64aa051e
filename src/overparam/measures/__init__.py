"""Measures: plain functions of tensors and arrays. Names are loaded when first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from overparam.measures.agreement import (
        RankAgreement,
        Reliability,
        rank_agreement,
        split_half_reliability,
    )
    from overparam.measures.attack_rates import (
        AdvantageEstimate,
        TprEstimate,
        estimate_advantage,
        estimate_tpr_at_fpr,
    )
    from overparam.measures.attractors import (
        Iterated,
        Memorization,
        iterate_to_attractor,
        memorization_rate,
        recalled_examples,
        span_energy,
    )
    from overparam.measures.baselines import class_distance, neighbor_disagreement
    from overparam.measures.complexity import (
        EmcEstimate,
        across_threshold,
        effective_model_complexity,
        interpolation_threshold,
    )
    from overparam.measures.copies.conflicts import LabelConflicts, label_conflicts
    from overparam.measures.copies.copied_tests import LeakCost, cost_of_leaks
    from overparam.measures.copies.duplicates import Duplicates, find_duplicates, group_of_rows
    from overparam.measures.copies.near_duplicates import NearDuplicates, find_near_duplicates
    from overparam.measures.error import (
        RateEstimate,
        error_rate,
        estimate_error_rate,
        generalization_gap,
        squared_error,
        wilson_interval,
    )
    from overparam.measures.gradient_proxies import (
        el2n,
        last_layer_gradient_norm,
        last_layer_self_influence,
    )
    from overparam.measures.held_out_accuracy import (
        CScores,
        LearningCurve,
        c_scores,
        learning_curve,
    )
    from overparam.measures.image_maps import MapScores, correlation, score_map
    from overparam.measures.influence import InfluencePairs, influence_matrix, influence_scores
    from overparam.measures.label_errors import (
        LabelErrors,
        estimate_noise_rate,
        rank_label_errors,
        recall_of_errors,
    )
    from overparam.measures.label_statistics import hinge_margin, stable_logit
    from overparam.measures.layer_images import layer_activations, layer_images
    from overparam.measures.layer_reading import input_dependence, read_off, visible_shape
    from overparam.measures.leave_one_out import (
        LeaveOneOut,
        leave_one_out_kernel,
        leave_one_out_minimum_norm,
        leave_one_out_ridge,
    )
    from overparam.measures.left_out_smoothers import (
        LabelMemorization,
        leave_one_out_memorization,
        leave_one_out_neighbors,
        leave_one_out_smoother,
    )
    from overparam.measures.linear.linear_design import LinearDesign, identify_coefficients
    from overparam.measures.linear.linear_relations import Combination, Relation
    from overparam.measures.linear.minimum_norm import MinimumNorm, minimum_norm_solution
    from overparam.measures.membership import (
        lira_scores,
        loss_scores,
        ratio_scores,
        sablayrolles_scores,
        watson_scores,
    )
    from overparam.measures.memorization import MemorizationScores, memorization_scores
    from overparam.measures.memorized_targets import TargetMemorization, target_memorization
    from overparam.measures.module_proxies import gradient_norm, input_curvature
    from overparam.measures.neighbor_probes import prediction_depth
    from overparam.measures.norms import frobenius_norm, spectral_norm, stable_rank, weight_norm
    from overparam.measures.one_run import costs_of_proxies, proxies_of_run
    from overparam.measures.out_of_sample import OutOfSample, out_of_sample_probabilities
    from overparam.measures.probabilities.calibration import (
        CalibrationError,
        ReliabilityCurve,
        estimate_calibration_error,
        reliability_curve,
    )
    from overparam.measures.probabilities.refinement import LossChange, loss_change
    from overparam.measures.probabilities.score_split import (
        ProperScores,
        ScoreSplit,
        proper_scores,
    )
    from overparam.measures.probabilities.temperature import (
        TemperatureEstimate,
        estimate_temperature,
    )
    from overparam.measures.proxies import (
        Forgetting,
        area_under_margin,
        cumulative_loss,
        final_loss,
        forgetting_events,
        iteration_learned,
        loss_interquartile_range,
    )
    from overparam.measures.rademacher import (
        MeanEstimate,
        estimate_rademacher_complexity,
        estimate_random_sign_fit,
    )
    from overparam.measures.reference_models import MembershipScores
    from overparam.measures.rmia import Population, rmia_scores
    from overparam.measures.roc import AucEstimate, Roc, estimate_auc, roc_curve
    from overparam.measures.row_groups import MeanInterval
    from overparam.measures.row_vulnerability import RowVulnerability, estimate_row_vulnerability
    from overparam.measures.rows_seen import WatchRows, watchable
    from overparam.measures.smoothers import effective_parameters, leaf_smoother, linear_smoother
    from overparam.measures.spectral_radius import jacobian_spectral_radius
    from overparam.measures.subgroups.groups import (
        GroupGaps,
        GroupRates,
        estimate_group_gaps,
        estimate_group_rates,
    )
    from overparam.measures.subgroups.segment_search import SegmentCondition
    from overparam.measures.subgroups.segments import (
        WeakSegment,
        WeakSegments,
        find_weak_clusters,
        find_weak_segments,
    )
    from overparam.measures.tables.column_faults import (
        ClassBalance,
        ColumnFaults,
        class_balance,
        find_column_faults,
    )
    from overparam.measures.tables.columns import ColumnScores, estimate_column_scores
    from overparam.measures.tables.held_out_scores import ScoreEstimate
    from overparam.measures.tables.leaks import Leaks, StrongColumn, estimate_leaks
    from overparam.measures.tables.row_order import RowOrder, estimate_row_order
    from overparam.measures.tables.shift import Shift, estimate_shift
    from overparam.measures.tables.with_and_without import (
        TwoScores,
        score_in_blocks,
        score_without_columns,
    )
    from overparam.measures.test_error.error_budget import (
        BudgetPart,
        ErrorBudget,
        estimate_error_budget,
    )
    from overparam.measures.test_error.interpolation_harm import (
        InterpolationHarm,
        estimate_interpolation_harm,
    )
    from overparam.measures.test_error.measured_curve import CurveRise, estimate_curve_rise
    from overparam.measures.test_error.more_data import (
        ErrorAtRows,
        MoreData,
        RowsNeeded,
        estimate_more_data,
    )

_HOMES = {
    "agreement": ("RankAgreement", "Reliability", "rank_agreement", "split_half_reliability"),
    "attack_rates": (
        "AdvantageEstimate",
        "TprEstimate",
        "estimate_advantage",
        "estimate_tpr_at_fpr",
    ),
    "attractors": (
        "Iterated",
        "Memorization",
        "iterate_to_attractor",
        "memorization_rate",
        "recalled_examples",
        "span_energy",
    ),
    "baselines": ("class_distance", "neighbor_disagreement"),
    "probabilities.calibration": (
        "CalibrationError",
        "ReliabilityCurve",
        "estimate_calibration_error",
        "reliability_curve",
    ),
    "tables.column_faults": (
        "ClassBalance",
        "ColumnFaults",
        "class_balance",
        "find_column_faults",
    ),
    "tables.columns": (
        "ColumnScores",
        "estimate_column_scores",
    ),
    "complexity": (
        "EmcEstimate",
        "across_threshold",
        "effective_model_complexity",
        "interpolation_threshold",
    ),
    "copies.conflicts": ("LabelConflicts", "label_conflicts"),
    "copies.copied_tests": ("LeakCost", "cost_of_leaks"),
    "copies.duplicates": ("Duplicates", "find_duplicates", "group_of_rows"),
    "error": (
        "RateEstimate",
        "error_rate",
        "estimate_error_rate",
        "generalization_gap",
        "squared_error",
        "wilson_interval",
    ),
    "test_error.error_budget": ("BudgetPart", "ErrorBudget", "estimate_error_budget"),
    "gradient_proxies": ("el2n", "last_layer_gradient_norm", "last_layer_self_influence"),
    "subgroups.groups": (
        "GroupGaps",
        "GroupRates",
        "estimate_group_gaps",
        "estimate_group_rates",
    ),
    "held_out_accuracy": ("CScores", "LearningCurve", "c_scores", "learning_curve"),
    "tables.held_out_scores": ("ScoreEstimate",),
    "image_maps": ("MapScores", "correlation", "score_map"),
    "influence": ("InfluencePairs", "influence_matrix", "influence_scores"),
    "test_error.interpolation_harm": ("InterpolationHarm", "estimate_interpolation_harm"),
    "label_errors": ("LabelErrors", "estimate_noise_rate", "rank_label_errors", "recall_of_errors"),
    "label_statistics": ("hinge_margin", "stable_logit"),
    "layer_images": ("layer_activations", "layer_images"),
    "layer_reading": ("input_dependence", "read_off", "visible_shape"),
    "tables.leaks": (
        "Leaks",
        "StrongColumn",
        "estimate_leaks",
    ),
    "leave_one_out": (
        "LeaveOneOut",
        "leave_one_out_kernel",
        "leave_one_out_minimum_norm",
        "leave_one_out_ridge",
    ),
    "left_out_smoothers": (
        "LabelMemorization",
        "leave_one_out_memorization",
        "leave_one_out_neighbors",
        "leave_one_out_smoother",
    ),
    "linear.linear_design": ("LinearDesign", "identify_coefficients"),
    "linear.linear_relations": (
        "Combination",
        "Relation",
    ),
    "test_error.measured_curve": ("CurveRise", "estimate_curve_rise"),
    "membership": (
        "lira_scores",
        "loss_scores",
        "ratio_scores",
        "sablayrolles_scores",
        "watson_scores",
    ),
    "memorization": ("MemorizationScores", "memorization_scores"),
    "memorized_targets": ("TargetMemorization", "target_memorization"),
    "linear.minimum_norm": (
        "MinimumNorm",
        "minimum_norm_solution",
    ),
    "module_proxies": ("gradient_norm", "input_curvature"),
    "copies.near_duplicates": ("NearDuplicates", "find_near_duplicates"),
    "test_error.more_data": ("ErrorAtRows", "MoreData", "RowsNeeded", "estimate_more_data"),
    "neighbor_probes": ("prediction_depth",),
    "norms": ("frobenius_norm", "spectral_norm", "stable_rank", "weight_norm"),
    "one_run": ("costs_of_proxies", "proxies_of_run"),
    "out_of_sample": ("OutOfSample", "out_of_sample_probabilities"),
    "proxies": (
        "Forgetting",
        "area_under_margin",
        "cumulative_loss",
        "final_loss",
        "forgetting_events",
        "iteration_learned",
        "loss_interquartile_range",
    ),
    "rademacher": ("MeanEstimate", "estimate_rademacher_complexity", "estimate_random_sign_fit"),
    "reference_models": ("MembershipScores",),
    "probabilities.refinement": (
        "LossChange",
        "loss_change",
    ),
    "rmia": ("Population", "rmia_scores"),
    "roc": ("AucEstimate", "Roc", "estimate_auc", "roc_curve"),
    "row_groups": ("MeanInterval",),
    "tables.row_order": (
        "RowOrder",
        "estimate_row_order",
    ),
    "row_vulnerability": ("RowVulnerability", "estimate_row_vulnerability"),
    "rows_seen": ("WatchRows", "watchable"),
    "probabilities.score_split": (
        "ProperScores",
        "ScoreSplit",
        "proper_scores",
    ),
    "subgroups.segment_search": ("SegmentCondition",),
    "subgroups.segments": (
        "WeakSegment",
        "WeakSegments",
        "find_weak_clusters",
        "find_weak_segments",
    ),
    "tables.shift": (
        "Shift",
        "estimate_shift",
    ),
    "smoothers": ("effective_parameters", "leaf_smoother", "linear_smoother"),
    "spectral_radius": ("jacobian_spectral_radius",),
    "probabilities.temperature": (
        "TemperatureEstimate",
        "estimate_temperature",
    ),
    "tables.with_and_without": (
        "TwoScores",
        "score_in_blocks",
        "score_without_columns",
    ),
}
_MODULE_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "AdvantageEstimate",
    "AucEstimate",
    "BudgetPart",
    "CScores",
    "CalibrationError",
    "ClassBalance",
    "ColumnFaults",
    "ColumnScores",
    "Combination",
    "CurveRise",
    "Duplicates",
    "EmcEstimate",
    "ErrorAtRows",
    "ErrorBudget",
    "Forgetting",
    "GroupGaps",
    "GroupRates",
    "InfluencePairs",
    "InterpolationHarm",
    "Iterated",
    "LabelConflicts",
    "LabelErrors",
    "LabelMemorization",
    "LeakCost",
    "Leaks",
    "LearningCurve",
    "LeaveOneOut",
    "LinearDesign",
    "LossChange",
    "MapScores",
    "MeanEstimate",
    "MeanInterval",
    "MembershipScores",
    "Memorization",
    "MemorizationScores",
    "MinimumNorm",
    "MoreData",
    "NearDuplicates",
    "OutOfSample",
    "Population",
    "ProperScores",
    "RankAgreement",
    "RateEstimate",
    "Relation",
    "Reliability",
    "ReliabilityCurve",
    "Roc",
    "RowOrder",
    "RowVulnerability",
    "RowsNeeded",
    "ScoreEstimate",
    "ScoreSplit",
    "SegmentCondition",
    "Shift",
    "StrongColumn",
    "TargetMemorization",
    "TemperatureEstimate",
    "TprEstimate",
    "TwoScores",
    "WatchRows",
    "WeakSegment",
    "WeakSegments",
    "across_threshold",
    "area_under_margin",
    "c_scores",
    "class_balance",
    "class_distance",
    "correlation",
    "cost_of_leaks",
    "costs_of_proxies",
    "cumulative_loss",
    "effective_model_complexity",
    "effective_parameters",
    "el2n",
    "error_rate",
    "estimate_advantage",
    "estimate_auc",
    "estimate_calibration_error",
    "estimate_column_scores",
    "estimate_curve_rise",
    "estimate_error_budget",
    "estimate_error_rate",
    "estimate_group_gaps",
    "estimate_group_rates",
    "estimate_interpolation_harm",
    "estimate_leaks",
    "estimate_more_data",
    "estimate_noise_rate",
    "estimate_rademacher_complexity",
    "estimate_random_sign_fit",
    "estimate_row_order",
    "estimate_row_vulnerability",
    "estimate_shift",
    "estimate_temperature",
    "estimate_tpr_at_fpr",
    "final_loss",
    "find_column_faults",
    "find_duplicates",
    "find_near_duplicates",
    "find_weak_clusters",
    "find_weak_segments",
    "forgetting_events",
    "frobenius_norm",
    "generalization_gap",
    "gradient_norm",
    "group_of_rows",
    "hinge_margin",
    "identify_coefficients",
    "influence_matrix",
    "influence_scores",
    "input_curvature",
    "input_dependence",
    "interpolation_threshold",
    "iterate_to_attractor",
    "iteration_learned",
    "jacobian_spectral_radius",
    "label_conflicts",
    "last_layer_gradient_norm",
    "last_layer_self_influence",
    "layer_activations",
    "layer_images",
    "leaf_smoother",
    "learning_curve",
    "leave_one_out_kernel",
    "leave_one_out_memorization",
    "leave_one_out_minimum_norm",
    "leave_one_out_neighbors",
    "leave_one_out_ridge",
    "leave_one_out_smoother",
    "linear_smoother",
    "lira_scores",
    "loss_change",
    "loss_interquartile_range",
    "loss_scores",
    "memorization_rate",
    "memorization_scores",
    "minimum_norm_solution",
    "neighbor_disagreement",
    "out_of_sample_probabilities",
    "prediction_depth",
    "proper_scores",
    "proxies_of_run",
    "rank_agreement",
    "rank_label_errors",
    "ratio_scores",
    "read_off",
    "recall_of_errors",
    "recalled_examples",
    "reliability_curve",
    "rmia_scores",
    "roc_curve",
    "sablayrolles_scores",
    "score_in_blocks",
    "score_map",
    "score_without_columns",
    "span_energy",
    "spectral_norm",
    "split_half_reliability",
    "squared_error",
    "stable_logit",
    "stable_rank",
    "target_memorization",
    "visible_shape",
    "watchable",
    "watson_scores",
    "weight_norm",
    "wilson_interval",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
