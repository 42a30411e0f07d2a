"""From logits to scores, metrics, tables and reports."""
