"""Pages to read in a browser: templates, style sheet and charts that every report of the project shares."""
