import mpmath
import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given
from hypothesis import strategies as st

from ganbench.evaluation.frechet import Moments, frechet_distance, moments


def correlated(count, width, seed, scale=1.0, offset=0.0):
    draws = torch.Generator().manual_seed(seed)
    mix = torch.randn(width, width, generator=draws, dtype=torch.float64) * scale
    points = torch.randn(count, width, generator=draws, dtype=torch.float64)
    return points @ mix + offset


def gaussian(mean, covariance):
    values = (torch.tensor(each, dtype=torch.float64) for each in (mean, covariance))
    return Moments(*values, count=1000)


def textbook(first, second):
    """The formula as it is printed, with a general matrix square root."""
    one, two = first.covariance.numpy(), second.covariance.numpy()
    offset = (first.mean - second.mean).square().sum().item()
    return offset + np.trace(one + two - 2 * scipy.linalg.sqrtm(one @ two).real)


def dense(points):
    whole = moments(points)
    return Moments(whole.mean, whole.covariance, whole.count)


@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(0.01, 10), st.floats(0.01, 10))
def test_one_dimension_is_the_distance_of_means_and_deviations(m1, m2, s1, s2):
    found = frechet_distance(gaussian([m1], [[s1**2]]), gaussian([m2], [[s2**2]]))
    assert found == pytest.approx((m1 - m2) ** 2 + (s1 - s2) ** 2, abs=1e-9)


def test_diagonal_covariances_add_up_over_the_axes():
    first = gaussian([0.0, 1.0, 2.0], np.diag([1.0, 4.0, 9.0]))
    second = gaussian([1.0, 1.0, 0.0], np.diag([4.0, 4.0, 0.25]))
    assert frechet_distance(first, second) == pytest.approx(1 + 0 + 4 + 1 + 0 + 6.25)


def test_commuting_covariances_compare_by_their_eigenvalues():
    turn = torch.linalg.qr(correlated(6, 6, 3)).Q
    values = torch.tensor([[1.0, 2, 3, 4, 5, 6], [6.0, 1, 5, 2, 4, 3]]).double()
    first, second = ((turn * each) @ turn.T for each in values)
    found = frechet_distance(
        gaussian([0.0] * 6, first.tolist()), gaussian([0.0] * 6, second.tolist())
    )
    expected = (values[0].sqrt() - values[1].sqrt()).square().sum().item()
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("width", [2, 16, 64])
def test_full_rank_agrees_with_the_matrix_square_root(width):
    first = moments(correlated(500, width, 1))
    second = moments(correlated(700, width, 2, 1.3, 0.5))
    assert frechet_distance(first, second) == pytest.approx(textbook(first, second), rel=1e-8)


def test_agrees_with_fifty_digits():
    first = moments(correlated(9, 3, 1))
    second = moments(correlated(11, 3, 2, 0.7, 0.2))
    with mpmath.workdps(50):
        one, two = (mpmath.matrix(each.covariance.tolist()) for each in (first, second))
        values = mpmath.eig(one * two, left=False, right=False)
        root = sum(mpmath.re(mpmath.sqrt(value)) for value in values)
        offset = sum(
            (mpmath.mpf(a) - b) ** 2
            for a, b in zip(first.mean.tolist(), second.mean.tolist(), strict=True)
        )
        expected = offset + sum(one[i, i] + two[i, i] for i in range(3)) - 2 * root
    assert frechet_distance(first, second) == pytest.approx(float(expected), rel=1e-12)


def test_rank_deficient_features_agree_with_their_full_rank_part():
    first, second = correlated(300, 5, 1), correlated(300, 5, 2, 1.5)
    lift = torch.linalg.qr(correlated(20, 20, 4)).Q[:5]
    flat = frechet_distance(moments(first), moments(second))
    assert frechet_distance(moments(first @ lift), moments(second @ lift)) == pytest.approx(
        flat, rel=1e-6
    )


@pytest.mark.parametrize(("few", "others"), [(10, 10), (10, 200), (200, 10), (40, 41), (40, 40)])
def test_fewer_items_than_features_equals_the_dense_form(few, others):
    first, second = correlated(few, 40, 1), correlated(others, 40, 2, 1.2, 0.3)
    assert moments(first[:40]).factor is not None
    expected = frechet_distance(dense(first), dense(second))
    assert frechet_distance(moments(first), moments(second)) == pytest.approx(expected, rel=1e-6)


def test_two_points_in_many_dimensions_by_hand():
    # Covariances are rank one: |d1|²/2 and |d2|²/2 along d1 and d2, at right angles here.
    first = torch.zeros(2, 9)
    second = torch.zeros(2, 9)
    first[0, 0], first[1, 0] = 3, -3
    second[0, 1], second[1, 1] = 1, -1
    assert frechet_distance(moments(first), moments(second)) == pytest.approx(18 + 2)
    assert frechet_distance(moments(first), moments(first / 3)) == pytest.approx(8)


@pytest.mark.parametrize("count", [20, 64, 2000])
def test_identical_sets_are_at_no_distance(count):
    points = correlated(count, 64, 5)
    found = frechet_distance(moments(points), moments(points.clone()))
    assert found <= 1e-6 * moments(points).covariance.trace().item()


def test_the_distance_is_symmetric():
    first, second = moments(correlated(300, 8, 1)), moments(correlated(200, 8, 2, 2.0))
    assert frechet_distance(first, second) == pytest.approx(frechet_distance(second, first))


def test_covariance_is_unbiased():
    points = correlated(30, 4, 6)
    whole = moments(points.float())
    np.testing.assert_allclose(whole.covariance, np.cov(points.numpy().T), rtol=1e-5)
    assert whole.covariance.dtype == torch.float64


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (torch.zeros(1, 4), "at least 2 items, not 1"),
        (torch.tensor([[0.0, 1.0], [float("nan"), 1.0]]), "non-finite"),
        (torch.tensor([[0.0, 1.0], [float("inf"), 1.0]]), "non-finite"),
        (torch.zeros(4), "shape"),
        (torch.zeros(4, 0), "shape"),
    ],
)
def test_unusable_features_are_refused(features, message):
    with pytest.raises(ValueError, match=message):
        moments(features)


def test_features_of_other_extractors_are_refused():
    with pytest.raises(ValueError, match="width 3 against 4"):
        frechet_distance(moments(correlated(9, 3, 1)), moments(correlated(9, 4, 1)))
