"""When the load of the machine is worth painting again."""

from core.load import Load, is_news

FULL = (1.0,) * 8


def test_a_graph_grows_while_the_load_stays_as_it_is() -> None:
    assert is_news(Load(1.0, 5, 100, (1.0, 1.0)), Load(1.0, 5, 100, (1.0,)))
    assert not is_news(Load(1.0, 5, 100, FULL), Load(1.0, 5, 100, FULL))


def test_a_figure_that_moved_is_news_and_a_hair_is_none() -> None:
    shown = Load(0.5, 50, 100, FULL)
    assert is_news(Load(0.53, 50, 100, FULL), shown)
    assert is_news(Load(0.5, 53, 100, FULL), shown)
    assert not is_news(Load(0.51, 51, 100, FULL), shown)


def test_the_first_load_and_the_loss_of_it_are_news() -> None:
    load = Load(None, 5, 100)
    assert is_news(load, None)
    assert is_news(None, load)
    assert not is_news(None, None)
