"""Reports: a run or a comparison in a form for people and for CI. They read runs and start nothing."""
