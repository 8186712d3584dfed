"""The pages: written on the server, escaped by the templates, whole without a line of script."""
