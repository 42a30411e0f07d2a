"""What an evaluation writes: tables, charts, report.html, metrics files, model card."""
