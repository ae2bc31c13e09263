"""TorchEBM's side of the benchmark: eager, as its users run it, on PyTorch's default threads."""

import sys

import work as w


def first_sample():
    """What a new process needs to import the library and draw its first samples."""
    from torchebm.core import DoubleWellModel
    from torchebm.samplers import LangevinDynamics

    LangevinDynamics(DoubleWellModel(), step_size=0.01).sample(dim=2, n_samples=1000, n_steps=100)


def main():
    import torch
    import torchebm
    from torch import nn
    from torchebm.core import BaseModel, DoubleWellModel, GaussianModel
    from torchebm.losses import (DenoisingScoreMatching, EquilibriumMatchingLoss, PersistentContrastiveDivergence,
                                 ScoreMatching, SlicedScoreMatching)
    from torchebm.samplers import GradientDescentSampler, HamiltonianMonteCarlo, LangevinDynamics, NesterovSampler

    def mlp(outputs):
        net = nn.Sequential(nn.Linear(2, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, outputs))
        with torch.no_grad():
            for layer, (weight, bias) in zip(net[::2], w.mlp_weights(outputs)):
                layer.weight.copy_(torch.tensor(weight).T)
                layer.bias.copy_(torch.tensor(bias))
        return net

    class MLPEnergy(BaseModel):
        def __init__(self):
            super().__init__()
            self.net = mlp(1)

        def forward(self, x):
            return self.net(x).squeeze(-1)

    class Field(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = mlp(2)

        def forward(self, x, t):
            return self.net(x)

    def gaussian(dim):
        i = torch.arange(dim)
        return GaussianModel(torch.zeros(dim), w.CORRELATION ** (i[:, None] - i[None, :]).abs().float())

    samplers = {
        "langevin": lambda model, h: LangevinDynamics(model, step_size=h),
        "hmc": lambda model, h: HamiltonianMonteCarlo(model, step_size=h, n_leapfrog_steps=w.LEAPFROG_STEPS),
        "gradient_descent": lambda model, h: GradientDescentSampler(model, step_size=h),
        "nesterov": lambda model, h: NesterovSampler(model, step_size=h, momentum=w.MOMENTUM),
    }

    def prepare_training(work):
        model = Field() if work.energy == "field" else MLPEnergy()
        loss_fn = {
            "pcd": lambda: PersistentContrastiveDivergence(
                model, LangevinDynamics(model, step_size=work.step_size), k_steps=work.steps, buffer_size=w.BUFFER,
                new_sample_ratio=w.FRESH, energy_reg_weight=w.REGULARISATION),
            "sm": lambda: ScoreMatching(model, hessian_method="exact"),
            "ssm": lambda: SlicedScoreMatching(model, n_projections=work.steps),
            "dsm": lambda: DenoisingScoreMatching(model, noise_scale=work.step_size),
            "eqm": lambda: EquilibriumMatchingLoss(model),
        }[work.sampler]()
        optimizer = torch.optim.Adam(model.parameters(), lr=w.LEARNING_RATE)
        batches = torch.tensor(w.two_moons()).split(work.chains)[:-1]  # the last is not full
        step = 0

        def call():
            nonlocal step
            for _ in range(w.TRAIN_STEPS):
                optimizer.zero_grad()
                loss = loss_fn(batches[step % len(batches)])
                (loss[0] if work.sampler == "pcd" else loss).backward()
                optimizer.step()
                step += 1

        return call, w.TRAIN_STEPS, lambda: None

    def prepare(work):
        if work.sampler in w.LOSSES:
            return prepare_training(work)
        model = {"doublewell": DoubleWellModel, "mlp": MLPEnergy, "gaussian": lambda: gaussian(work.dim)}[work.energy]()
        sampler = samplers[work.sampler](model, work.step_size)
        x = None

        def call():
            nonlocal x
            x = sampler.sample(dim=work.dim, n_samples=work.chains, n_steps=work.steps)

        return call, 1, lambda: w.mean_error(model(x).detach())

    w.serve("torchebm", {"version": torchebm.__version__, "torch": torch.__version__,
                         "threads": torch.get_num_threads()}, prepare)


if __name__ == "__main__":
    first_sample() if "--first-sample" in sys.argv else main()
