"""Where sentiment models are made: converted, exported, trained. They are scored in features."""
