"""The watched demo shop: storefront -> orders -> payments and inventory, one process each."""
