"""What fitted networks of any depth share."""

from __future__ import annotations

from functools import cached_property

import numpy as np


class NetworkBase:
    """Needs ``features`` (list of Feature) and ``likelihood``."""

    @property
    def feature_names(self):
        return [f.name for f in self.features]

    @property
    def kinds(self):
        return [f.kind for f in self.features]

    @property
    def n_outputs(self):
        """Columns of the linear predictor as users see it: one, or one a class."""
        return self.output_map.shape[1]

    @cached_property
    def output_map(self):
        """From the C fitted outputs to what users see (C, n_outputs): the identity, or contrasts to classes."""
        contrasts = getattr(self.likelihood, "contrasts", None)
        return np.eye(self.likelihood.n_outputs) if contrasts is None else contrasts.T

    def _likelihood_spec(self):
        likelihood = self.likelihood
        return {"name": likelihood.name, **{name: getattr(likelihood, name) for name in likelihood.arguments}}
