"""nginx with a page of its own."""
