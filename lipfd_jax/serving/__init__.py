"""Server that detects manipulation in uploaded videos: uploads, queue, one worker, pages and an API."""
