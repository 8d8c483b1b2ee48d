"""Which edges of a network are drawn, and where: lengths are inches of an undistorted picture."""

from dataclasses import dataclass

import numpy as np

_LARGEST, _SMALLEST = 0.55, 0.28  # height of a curve's box
_MOST_COLUMNS = 3
_WIDE = 1.45  # width over height of a box
_FILL = 0.84  # of the room for a box that it takes
_FAN_IN, _FAN_OUT = 0.45, 1.1


@dataclass(frozen=True)
class Selection:
    """What is drawn.

    Attributes
    ----------
    masks : list of ndarray of bool (n_sources, n_targets)
        The edges of each layer.
    nodes : list of list of int
        The nodes of each layer, the outputs included, in the order in which they are drawn.
    joins : list of ndarray of int (n_targets,)
        The node that each target of a layer's edges leads to.
    """

    masks: list
    nodes: list
    joins: list


def select(sizes, importances, max_features, min_size, max_edges, joins=None):
    """The most important inputs, the largest edges between them, and the nodes that these connect.

    Parameters
    ----------
    sizes : list of ndarray (n_sources, n_targets)
    importances : ndarray (n_features,)
    max_features : int
    min_size : float
        Smallest edge, as a share of the largest of its layer.
    max_edges : int or None
        Most edges of a layer.
    joins : list of ndarray of int (n_targets,), optional
        The node that each target leads to; by default its own.
    """
    joins = [np.arange(size.shape[1]) for size in sizes] if joins is None else joins
    top = np.argsort(-importances, kind="stable")[:max_features]
    masks = []
    for k, size in enumerate(sizes):
        mask = (size > 0) & (size >= min_size * size.max(initial=0.0))
        if k == 0:
            mask[np.setdiff1d(np.arange(len(size)), top)] = False
        masks.append(mask)
    _prune(masks, joins)
    if max_edges is not None:
        for k in reversed(
            range(len(sizes))
        ):  # the nodes that go with a layer's small edges free room in the one before
            if masks[k].sum() > max_edges:
                drawn = np.where(masks[k], sizes[k], 0.0).ravel()
                masks[k] = np.zeros(drawn.size, dtype=bool)
                masks[k][np.argsort(-drawn, kind="stable")[:max_edges]] = True
                masks[k] = masks[k].reshape(sizes[k].shape)
                _prune(masks, joins)
    inputs = [int(i) for i in top if masks[0][i].any()] or [int(i) for i in top]
    nodes = [inputs]
    for k in range(len(sizes) - 1):
        into = np.where(masks[k], sizes[k], 0.0)[nodes[-1]]
        weight = np.zeros((len(into), len(sizes[k + 1])))
        np.add.at(weight.T, joins[k], into.T)
        total = weight.sum(0)
        rank = np.arange(len(weight)) @ weight / np.where(total > 0, total, 1.0)
        nodes.append([int(j) for j in np.argsort(rank, kind="stable") if total[j] > 0])
    return Selection(masks, [*nodes, list(range(sizes[-1].shape[1]))], joins)


def _prune(masks, joins):
    """Drop edges that lead to a hidden node without edges on its other side."""
    changed = True
    while changed:
        before = sum(mask.sum() for mask in masks)
        for first, second, join in zip(masks, masks[1:], joins, strict=False):
            alive = np.isin(np.arange(len(second)), join[first.any(0)]) & second.any(1)
            first &= alive[join]
            second &= alive[:, None]
        changed = sum(mask.sum() for mask in masks) < before


@dataclass(frozen=True)
class Box:
    """The place of an edge's curve: centre and the x at which its wires leave and reach the fans at its sides."""

    x: float
    y: float
    left: float
    right: float


@dataclass(frozen=True)
class Layout:
    """Where everything is.

    Attributes
    ----------
    nodes : list of dict
        (x, y) of each drawn node, by layer.
    boxes : list of dict
        `Box` of each drawn edge (source, target), by layer.
    sizes : list of tuple
        Width and height of the boxes, by layer.
    width, height : float
    """

    nodes: list
    boxes: list
    sizes: list
    width: float
    height: float

    @property
    def margin(self):
        """Room above and below, into which the outermost boxes reach."""
        return max(tall for _, tall in self.sizes) / 2 + 0.05


def lay_out(selection):
    """Places for the nodes and edges of a `Selection`, from left to right, the first node on top.

    The boxes of a layer stand one above the other, those of one source together and beside it; where they would be too
    small they are staggered in up to three columns.
    """
    layers = []
    for mask, sources, nodes, join in zip(
        selection.masks, selection.nodes, selection.nodes[1:], selection.joins, strict=False
    ):
        targets = [t for node in nodes for t in np.flatnonzero(join == node).tolist()]
        layers.append([[t for t in targets if mask[s, t]] for s in sources])
    rooms = [_rooms(groups) for groups in layers]
    units = [sum(room) or 1.0 for room in rooms]  # a layer that is pruned away has no nodes
    rows = max(0.38 * len(selection.nodes[0]), 0.34 * len(selection.nodes[-1]))
    most = max(units)
    height = max(1.8, rows, min(0.17 * most, max(7.2, 0.08 * most), 16.0), min(0.5 * most, 3.0))
    x, nodes, boxes, sizes = 0.0, [], [], []
    for k, groups in enumerate(layers):
        pitch = height / units[k]
        columns = next((c for c in range(1, _MOST_COLUMNS) if _FILL * c * pitch >= _SMALLEST), _MOST_COLUMNS)
        tall = min(_FILL * columns * pitch, _LARGEST)
        wide = _WIDE * tall
        left = x + _FAN_IN
        right = left + columns * 1.2 * wide
        places, own, y, n = {}, {}, height, 0
        for source, targets, room in zip(selection.nodes[k], groups, rooms[k], strict=True):
            share = room * pitch
            top = y - (share - len(targets) * pitch) / 2
            places[source] = (x, y - share / 2)
            for i, target in enumerate(targets):
                centre = left + (n % columns + 0.5) * 1.2 * wide
                own[source, target] = Box(centre, top - (i + 0.5) * pitch, left, right)
                n += 1
            y -= share
        nodes.append(places)
        boxes.append(own)
        sizes.append((wide, tall))
        x = right + _FAN_OUT
    outputs = selection.nodes[-1]
    step = min(height / len(outputs), 1.2)
    middle = height / 2 + step * (len(outputs) - 1) / 2
    nodes.append({o: (x, middle - step * i) for i, o in enumerate(outputs)})
    return Layout(nodes, boxes, sizes, x, height)


def _rooms(groups):
    """Room for each source with its boxes, in units of a box: enough that names beside them do not collide."""
    if not groups:
        return []
    counts = np.array([len(targets) for targets in groups], dtype=float)
    least = max(0.45 * counts.mean(), 1.0)
    return list(np.maximum(counts, least) + (0.5 if (counts > 1).any() else 0.0))


def wire(start, box, end, n=30):
    """The line (m, 2) from the node at `start` through the middle of a `Box` to the node at `end`."""
    t = np.linspace(0.0, 1.0, n)
    bend = t * t * (3 - 2 * t)
    fan_in = np.column_stack([start[0] + t * (box.left - start[0]), start[1] + bend * (box.y - start[1])])
    fan_out = np.column_stack([box.right + t * (end[0] - box.right), box.y + bend * (end[1] - box.y)])
    return np.concatenate([fan_in, fan_out])
