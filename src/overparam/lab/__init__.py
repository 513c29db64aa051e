"""The lab: phenomena as data, units of work, workers, the store, statistics, verdicts."""
