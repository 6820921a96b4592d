from demo.catalogue import CATALOGUE, CATEGORIES, PAGE_SIZE, browse, search


def test_browse_pages_cover_a_category_once():
    pages = [browse("kitchen", page) for page in (1, 2, 3, 4)]
    found = [product.id for page in pages for product in page]
    assert sorted(found) == [product.id for product in CATALOGUE.values() if product.category == "kitchen"]
    assert max(map(len, pages)) <= PAGE_SIZE


def test_browse_without_category_shows_everything():
    assert [product.id for product in browse(None, 1)] == list(CATALOGUE)[:PAGE_SIZE]
    assert {product.category for product in CATALOGUE.values()} == set(CATEGORIES)


def test_search_puts_the_product_with_most_words_first():
    assert search("Steel kettle")[0].name == "steel kettle"


def test_search_for_an_unknown_word_finds_nothing():
    assert search("sofa") == []
