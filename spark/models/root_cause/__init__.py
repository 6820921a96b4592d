"""From the symptoms of an incident to ranked causes: pure functions and fitted models, no Spark."""
