"""Networks from uint8 composites to logits: inputs, image encoder, backbone, region fusion and losses."""
