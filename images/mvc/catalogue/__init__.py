"""A catalogue of products: `model` keeps them, `controller` answers requests, the views are in `templates`."""
