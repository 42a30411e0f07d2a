"""From uint8 composites to logits: inputs, image tower, trunk, region fusion and losses."""
