"""Answers as HTML and SVG. What people see is drawn here, on the server: pages work without a script."""
