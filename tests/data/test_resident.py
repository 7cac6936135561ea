"""Order and residence: what makes two arms see the same data, and a resumed trial go on."""

import pytest
import torch

from ganbench.data.resident import Order, Resident
from ganbench.plugin import Data, DataError


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def test_an_epoch_visits_every_item_once_when_the_batch_divides_the_count():
    order = Order(12, 4, stream())
    for _ in range(3):
        epoch = torch.cat([order.next() for _ in range(3)])
        assert sorted(epoch.tolist()) == list(range(12))


def test_the_last_partial_batch_is_dropped_and_the_next_epoch_is_shuffled_anew():
    order = Order(10, 4, stream())
    epochs = [torch.cat([order.next(), order.next()]) for _ in range(20)]
    for epoch in epochs:
        assert epoch.shape == (8,)
        assert len(set(epoch.tolist())) == 8
    assert len({tuple(epoch.tolist()) for epoch in epochs}) == 20


def test_every_first_item_is_equally_likely():
    # 2,000 epochs over 5 items: 400 expected each, standard deviation 17.9; 6 sigma = 107.
    order = Order(5, 5, stream(7))
    counts = torch.bincount(torch.stack([order.next()[0] for _ in range(2000)]), minlength=5)
    assert (counts - 400).abs().max() < 107


def test_the_same_seed_gives_the_same_order_and_another_seed_another():
    same, again, other = Order(50, 7, stream(1)), Order(50, 7, stream(1)), Order(50, 7, stream(2))
    walks = [torch.stack([o.next() for _ in range(20)]) for o in (same, again, other)]
    assert torch.equal(walks[0], walks[1])
    assert not torch.equal(walks[0], walks[2])


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 7])
def test_a_resumed_order_equals_an_uninterrupted_one(steps, tmp_path):
    count, batch = 11, 4  # two batches an epoch: the cuts fall inside and between epochs
    straight = Order(count, batch, stream(3))
    expected = [straight.next().clone() for _ in range(steps + 9)][steps:]

    before = Order(count, batch, generator := stream(3))
    for _ in range(steps):
        before.next()
    torch.save({"order": before.state_dict(), "stream": generator.get_state()}, tmp_path / "c.pt")

    saved = torch.load(tmp_path / "c.pt", weights_only=True)
    fresh = stream(99)
    after = Order(count, batch, fresh)
    fresh.set_state(saved["stream"])
    after.load_state_dict(saved["order"])
    assert all(torch.equal(after.next(), batch) for batch in expected)


def test_building_an_order_draws_nothing_from_its_stream():
    generator = stream(5)
    before = generator.get_state()
    Order(10, 2, generator)
    assert torch.equal(generator.get_state(), before)


def test_saving_a_state_and_walking_on_does_not_change_what_was_saved():
    order = Order(6, 2, stream())
    order.next()
    state = order.state_dict()
    permutation = state["permutation"].clone()
    for _ in range(7):
        order.next()
    assert torch.equal(state["permutation"], permutation)
    assert state["offset"] == 2


def test_a_batch_larger_than_the_data_is_refused_with_both_numbers():
    with pytest.raises(DataError, match=r"batch_size is 65\b.*64 items"):
        Order(64, 65, stream())
    assert sorted(Order(64, 64, stream()).next().tolist()) == list(range(64))


def test_a_state_of_another_data_set_is_refused():
    order = Order(10, 2, stream())
    order.next()
    with pytest.raises(ValueError, match="10 items, the data set has 12"):
        Order(12, 2, stream()).load_state_dict(order.state_dict())


def test_images_stay_uint8_and_become_minus_one_to_one_only_in_the_batch():
    pixels = torch.tensor([0, 51, 255], dtype=torch.uint8).view(3, 1, 1, 1).expand(3, 1, 8, 8)
    resident = Resident(Data("levels", pixels), "cpu")
    assert resident.items.dtype == torch.uint8
    assert len(resident) == 3
    batch = resident.batch(torch.tensor([2, 0, 1, 1]))
    assert batch.shape == (4, 1, 8, 8)
    # 51 / 255 = 1/5, so 2/5 - 1 = -0.6.
    torch.testing.assert_close(batch[:, 0, 0, 0], torch.tensor([1.0, -1.0, -0.6, -0.6]))


def test_points_pass_unchanged():
    points = torch.tensor([[0.0, 40.0], [-3.0, 1.5]])
    assert torch.equal(Resident(Data("p", points), "cpu").batch(torch.tensor([1])), points[1:])


@pytest.mark.gpu
@pytest.mark.filterwarnings("ignore:Synchronization debug mode")  # torch calls it a prototype
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_step_of_the_order_does_not_wait_for_the_device():
    generator = torch.Generator("cuda").manual_seed(0)
    data = Data("noise", torch.randint(256, (1000, 3, 8, 8), dtype=torch.uint8))
    resident, order = Resident(data, "cuda"), Order(1000, 300, generator)
    torch.cuda.set_sync_debug_mode("error")
    try:
        batches = [resident.batch(order.next()) for _ in range(10)]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert batches[-1].is_cuda
    assert batches[-1].shape == (300, 3, 8, 8)


def test_all_that_are_of_one_data_set_share_its_copy_on_a_device():
    data = Data("few", torch.zeros(4, 1, 2, 2, dtype=torch.uint8), torch.arange(4), ("a",) * 4)
    one, other, here = (Resident(data, where) for where in ("meta", "meta", "cpu"))
    assert one.items is other.items
    assert one.labels is other.labels
    assert one.items.device.type == "meta"
    assert here.items is data.items
