"""TorchEBM's side of the benchmark: eager, as its users run it, on PyTorch's default threads."""

import sys

import work as w


def first_sample():
    """What a new process needs to import the library and draw its first samples."""
    import torch
    from torchebm.core import DoubleWellModel
    from torchebm.samplers import LangevinDynamics

    torch.set_default_device(w.DEVICE)
    LangevinDynamics(DoubleWellModel(), step_size=0.01).sample(dim=2, n_samples=1000, n_steps=100)


def main():
    import torch
    import torchebm
    from torch import nn
    from torchebm.core import BaseModel, DoubleWellModel, GaussianModel
    from torchebm.integrators import (Dopri5Integrator, EulerMaruyamaIntegrator, HeunIntegrator, LeapfrogIntegrator,
                                      RK4Integrator)
    from torchebm.losses import (DenoisingScoreMatching, EquilibriumMatchingLoss, FlowMatchingLoss,
                                 PersistentContrastiveDivergence, ScoreMatching, SlicedScoreMatching)
    from torchebm.models import ClassifierFreeGuidance, DiT
    from torchebm.samplers import (FlowSampler, GradientDescentSampler, HamiltonianMonteCarlo, LangevinDynamics,
                                   NesterovSampler)

    torch.set_default_device(w.DEVICE)

    def mlp(work):
        layers = [(torch.tensor(weight), torch.tensor(bias)) for weight, bias in w.mlp_weights(work.energy, work.dim)]
        net = []
        for weight, bias in layers:
            net += [nn.Linear(*weight.shape), nn.SiLU()]
            with torch.no_grad():
                net[-2].weight.copy_(weight.T)
                net[-2].bias.copy_(bias)
        return nn.Sequential(*net[:-1])

    class MLPEnergy(BaseModel):
        def __init__(self, work):
            super().__init__()
            self.net = mlp(work)

        def forward(self, x):
            return self.net(x).squeeze(-1)

    class Field(nn.Module):
        def __init__(self, work):
            super().__init__()
            self.net = mlp(work)

        def forward(self, x, t):
            return self.net(x)

    class Flow(Field):
        def forward(self, x, t):
            return self.net(torch.cat([x, t[:, None]], 1))

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
        model = {"field": Field, "flow": Flow, "mlp": MLPEnergy}[work.energy](work)
        loss_fn = {
            "pcd": lambda: PersistentContrastiveDivergence(
                model, LangevinDynamics(model, step_size=work.step_size), k_steps=work.steps, buffer_size=w.BUFFER,
                new_sample_ratio=w.FRESH, energy_reg_weight=w.REGULARISATION),
            "sm": lambda: ScoreMatching(model, hessian_method="exact"),
            "ssm": lambda: SlicedScoreMatching(model, n_projections=work.steps),
            "dsm": lambda: DenoisingScoreMatching(model, noise_scale=work.step_size),
            "eqm": lambda: EquilibriumMatchingLoss(model),
            "fm": lambda: FlowMatchingLoss(model),
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

    def integrating(model, work):
        """Follows −∇E as TorchEBM's own benchmark does."""
        integrator = {"euler_maruyama": EulerMaruyamaIntegrator, "heun": HeunIntegrator, "rk4": RK4Integrator,
                      "leapfrog": LeapfrogIntegrator}[work.sampler]()
        step_size, diffusion = torch.tensor(work.step_size), torch.tensor(w.DIFFUSION)
        more = {"diffusion": lambda x, t: diffusion} if work.sampler in ("euler_maruyama", "heun") else {}

        def drift(x, t):
            x = x.detach().requires_grad_(True)
            return -torch.autograd.grad(model(x).sum(), x)[0]

        def run():
            state = {"x": torch.randn(work.chains, work.dim)}
            if work.sampler == "leapfrog":
                state["p"] = torch.randn(work.chains, work.dim)
            return integrator.integrate(state, step_size=step_size, n_steps=work.steps, drift=drift, **more)["x"]

        return run

    def prepare_mixed(work):
        rates, starts = (torch.tensor(v)[:, None] for v in w.mixed(work.chains))
        integrator = Dopri5Integrator(rtol=w.RTOL, atol=w.ATOL)
        times = torch.tensor([0.0, w.MIXED_TIME])
        x, evaluations = None, 0

        def drift(x, t):
            nonlocal evaluations
            evaluations += 1
            return -rates * (x - torch.cos(t)[:, None])

        def call():
            nonlocal x, evaluations
            evaluations = 0
            x = integrator.integrate({"x": starts}, step_size=torch.tensor(work.step_size), n_steps=1, drift=drift, t=times)["x"]

        return (call, 1, lambda: w.mean_error(x[:, 0] ** 2), lambda: w.mixed_figures(x[:, 0].tolist(), [evaluations] * work.chains))

    def transformer(work):
        width, depth, heads = w.transformer_size(work)
        net = DiT(input_size=work.dim, in_channels=1, patch_size=2, embed_dim=width, depth=depth, num_heads=heads, num_classes=w.CLASSES)
        parameters = dict(net.named_parameters())
        with torch.no_grad():
            for name, weight, bias in w.transformer_weights(work):
                to = parameters.pop(name + ".weight")
                to.copy_(torch.from_numpy(weight if to.shape[0] == w.CLASSES + 1 else weight.T).reshape(to.shape))
                if name + ".bias" in parameters:
                    parameters.pop(name + ".bias").copy_(torch.from_numpy(bias))
        assert not parameters, parameters.keys()
        x, t, y = w.pictures(work)
        return net, torch.tensor(x).reshape(-1, 1, work.dim, work.dim), torch.tensor(t), torch.tensor(y)

    def prepare_gradients(work):
        net, x, t, y = transformer(work)

        def call():
            net.zero_grad()
            net(x, t, y).square().mean().backward()

        return call, 1, lambda: w.same(sum((p.grad**2).sum() for p in net.parameters() if p.grad is not None) ** 0.5)

    def prepare_guided(work):
        net, x, _, y = transformer(work)
        sampler = FlowSampler(ClassifierFreeGuidance(net, w.GUIDANCE, null_condition=w.CLASSES), integrator="heun")

        def call():
            sampler.sample(dim=(1, work.dim, work.dim), n_samples=work.chains, n_steps=work.steps, y=y)

        return call, 1, lambda: w.same((sampler.sample(x=x, n_steps=work.steps, y=y) ** 2).mean())

    def waiting(work):
        """prepare, with calls that wait for a GPU to be done."""
        call, *rest = prepare(work)

        def call_and_wait():
            call()
            torch.cuda.synchronize()

        return call_and_wait, *rest

    def prepare(work):
        if w.transformer_size(work):
            return (prepare_gradients if work.sampler == "gradients" else prepare_guided)(work)
        if work.sampler in w.LOSSES:
            return prepare_training(work)
        if work.energy == "mixed":
            return prepare_mixed(work)
        model = {"doublewell": DoubleWellModel, "mlp": lambda: MLPEnergy(work), "mlp128": lambda: MLPEnergy(work),
                 "flow": lambda: Flow(work), "gaussian": lambda: gaussian(work.dim)}[work.energy]()
        if work.energy == "mlp128":
            run = integrating(model, work)
        else:
            sampler = FlowSampler(model, integrator="heun") if work.energy == "flow" else samplers[work.sampler](model, work.step_size)
            run = lambda: sampler.sample(dim=work.dim, n_samples=work.chains, n_steps=work.steps)
        x = None

        def call():
            nonlocal x
            x = run()

        energy = (lambda x: (x**2).mean(1)) if work.energy == "flow" else model
        return call, 1, lambda: w.mean_error(energy(x).detach())

    w.serve("torchebm", {"version": torchebm.__version__, "torch": torch.__version__,
                         "threads": torch.get_num_threads()}, prepare if w.DEVICE == "cpu" else waiting)


if __name__ == "__main__":
    first_sample() if "--first-sample" in sys.argv else main()
