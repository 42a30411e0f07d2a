"""HTML pages: templates, style sheet and charts that all reports share."""
