#!/usr/bin/python3
"""Writes the figures that the tests are compared with: PyTorch's, in float64. See README.md."""

import itertools
import math

import torch
import torch.nn.functional as F
from figures import pack, with_gradients, write
from ops import ops


def layers():
    torch.manual_seed(1)
    linear = []
    for shape, bias in itertools.product([(3,), (4, 3), (2, 4, 3)], [True, False]):
        x, weight = torch.randn(shape), torch.randn(5, 3)
        inputs = [x, weight] + ([torch.randn(5)] if bias else [])
        linear.append({"inputs": [pack(i) for i in inputs], **with_gradients(F.linear, *inputs)})

    extreme = [-1e30, -800, -100, -40, -20, -8, -1e-3, -1e-9, 1e-9, 1e-3, 8, 19.5, 20.5, 40, 100, 800, 1e30]
    x = torch.cat([torch.randn(20) * 2, torch.tensor(extreme)])
    functions = [
        ("relu", {}, F.relu),
        ("sigmoid", {}, torch.sigmoid),
        ("tanh", {}, torch.tanh),
        ("silu", {}, F.silu),
        ("leaky_relu", {}, F.leaky_relu),
        ("leaky_relu", {"negative_slope": 0.2}, lambda x: F.leaky_relu(x, 0.2)),
        ("elu", {}, F.elu),
        ("elu", {"alpha": 1.7}, lambda x: F.elu(x, 1.7)),
        ("gelu", {}, F.gelu),
        ("gelu", {"approximate": "tanh"}, lambda x: F.gelu(x, approximate="tanh")),
        ("softplus", {}, F.softplus),
        ("softplus", {"beta": 2.5, "threshold": 5}, lambda x: F.softplus(x, 2.5, 5)),
    ]
    activations = []
    for name, options, f in functions:
        # PyTorch's tanh form of gelu gives NaN where the cube overflows: that part is not compared.
        inputs = x[x.abs() < 1e9] if options.get("approximate") else x
        activations.append({"name": name, "options": options, "input": pack(inputs), **with_gradients(f, inputs)})
    table = torch.randn(4, 3) * 3
    for name, axis in itertools.product(["softmax", "log_softmax"], [0, 1, -1]):
        case = with_gradients(lambda x: getattr(torch, name)(x, axis), table)
        activations.append({"name": name, "options": {"axis": axis}, "input": pack(table), **case})
    write("layers.json", {"linear": linear, "activations": activations})


def losses():
    torch.manual_seed(2)
    cases = []

    def add(name, f, inputs, options, tensors=None):
        """`f` of inputs and keywords; the options as they are called there, tensors apart."""
        tensors = tensors or {}
        for reduction in ["mean", "sum", "none"]:
            case = with_gradients(lambda *i: f(*i, reduction=reduction, **options, **tensors), *inputs)
            cases.append({
                "name": name,
                "options": {**options, "reduction": reduction},
                "tensors": {key: pack(value) for key, value in tensors.items()},
                "inputs": [pack(i) for i in inputs],
                **case,
            })

    a, b = torch.randn(4, 3) * 2, torch.randn(4, 3)
    add("mse_loss", F.mse_loss, [a, b], {})
    add("l1_loss", F.l1_loss, [a, b], {})
    for delta in [1.0, 0.3, 2.5]:
        add("huber_loss", F.huber_loss, [a, b], {"delta": delta})

    weight = torch.rand(5) + 0.2
    extreme = torch.tensor([[800.0, -800, 0, 30, -30], [-1e4, -1e4, -1e4, -1e4, 1e4], [0, 0, 0, 0, 0]])
    samples = [
        (torch.randn(6, 5) * 3, torch.tensor([0, 4, 2, 2, 1, 3])),
        (torch.randn(5), torch.tensor(3)),
        (torch.randn(2, 5, 3), torch.tensor([[0, 4, 1], [2, 2, 3]])),
        (extreme, torch.tensor([1, 4, 2])),
    ]
    for logits, target in samples:
        axis = 0 if logits.dim() == 1 else 1
        log_p = F.log_softmax(logits, axis).detach()
        for tensors in [{}, {"weight": weight}]:
            add("nll_loss", F.nll_loss, [log_p, target], {}, tensors)
            for smoothing in [0.0, 0.1]:
                add("cross_entropy", F.cross_entropy, [logits, target], {"label_smoothing": smoothing}, tensors)
    ignored = torch.tensor([0, -100, 2, -100, 1, 3])
    for tensors, options in itertools.product([{}, {"weight": weight}], [{}, {"ignore_index": 3}]):
        target = ignored if not options else samples[0][1]
        add("nll_loss", F.nll_loss, [samples[0][0], target], options, tensors)
        for smoothing in [0.0, 0.1]:
            add("cross_entropy", F.cross_entropy, [samples[0][0], target], {"label_smoothing": smoothing, **options}, tensors)
    for logits in [samples[0][0], samples[1][0], samples[2][0]]:
        target = F.softmax(torch.randn(logits.shape), 0 if logits.dim() == 1 else 1)
        for tensors, smoothing in itertools.product([{}, {"weight": weight}], [0.0, 0.1]):
            add("cross_entropy", F.cross_entropy, [logits, target], {"label_smoothing": smoothing}, tensors)

    p = torch.sigmoid(torch.randn(4, 3))
    t = torch.rand(4, 3)
    hard = (torch.rand(4, 3) < 0.5).double()
    for target, tensors in itertools.product([t, hard], [{}, {"weight": torch.rand(4, 3) + 0.1}, {"weight": torch.rand(3) + 0.1}]):
        # The target's gradient is left out: PyTorch has none here.
        for reduction in ["mean", "sum", "none"]:
            case = with_gradients(lambda x: F.binary_cross_entropy(x, target, reduction=reduction, **tensors), p)
            cases.append({"name": "binary_cross_entropy", "options": {"reduction": reduction},
                          "tensors": {k: pack(v) for k, v in tensors.items()}, "inputs": [pack(p), pack(target)], **case})
    edge, edge_target = torch.tensor([0.0, 1, 0, 1]), torch.tensor([0.0, 1, 1, 0])
    cases.append({"name": "binary_cross_entropy", "options": {"reduction": "none"}, "tensors": {},
                  "inputs": [pack(edge), pack(edge_target)],
                  "output": pack(F.binary_cross_entropy(edge, edge_target, reduction="none"))})

    logits = torch.cat([torch.randn(3, 3) * 3, torch.tensor([[0, 30, -30], [800, -800, 1e30], [-1e30, 5, -5]])])
    target = torch.cat([torch.rand(3, 3), torch.tensor([[1.0, 1, 0], [1, 0, 1], [0, 0, 1]])])
    weights = [{}, {"weight": torch.rand(6, 3) + 0.1}, {"pos_weight": torch.rand(3) + 0.5},
               {"weight": torch.rand(3) + 0.1, "pos_weight": torch.rand(3) + 0.5}]
    for tensors in weights:
        for reduction in ["mean", "sum", "none"]:
            case = with_gradients(
                lambda x: F.binary_cross_entropy_with_logits(x, target, reduction=reduction, **tensors), logits)
            cases.append({"name": "binary_cross_entropy_with_logits", "options": {"reduction": reduction},
                          "tensors": {k: pack(v) for k, v in tensors.items()}, "inputs": [pack(logits), pack(target)], **case})
    write("losses.json", {"cases": cases})


# Our names of PyTorch's options.
def rename(options):
    renamed = {}
    for key, value in options.items():
        if key == "betas":
            renamed["beta1"], renamed["beta2"] = value
        else:
            renamed[{"lr": "learning_rate", "eps": "epsilon"}.get(key, key)] = value
    return renamed


def optimizers():
    torch.manual_seed(3)
    x, y = torch.randn(5, 3), torch.randn(5, 2)
    weight, bias = torch.randn(2, 3), torch.randn(2)
    configurations = [
        ("SGD", {"lr": 0.1}),
        ("SGD", {"lr": 0.1, "weight_decay": 0.05}),
        ("SGD", {"lr": 0.1, "momentum": 0.9}),
        ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}),
        ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
        ("SGD", {"lr": 0.05, "momentum": 0.8, "nesterov": True, "weight_decay": 0.1}),
        ("SGD", {"lr": 0.05, "momentum": 0.8, "dampening": 0.1, "weight_decay": 0.1}),
        ("Adam", {}),
        ("Adam", {"lr": 0.1}),
        ("Adam", {"lr": 0.1, "betas": (0.8, 0.95), "eps": 1e-3}),
        ("Adam", {"lr": 0.1, "weight_decay": 0.1}),
        ("Adam", {"lr": 0.3, "betas": (0.5, 0.6), "amsgrad": True}),
        ("AdamW", {"lr": 0.1}),
        ("AdamW", {"lr": 0.1, "weight_decay": 0.3, "betas": (0.8, 0.95)}),
        ("AdamW", {"lr": 0.3, "betas": (0.5, 0.6), "weight_decay": 0.1, "amsgrad": True}),
    ]
    trajectories = []
    for name, options in configurations:
        w, b = weight.clone().requires_grad_(), bias.clone().requires_grad_()
        optimizer = getattr(torch.optim, name)([w, b], **options)
        steps = []
        for _ in range(20):
            optimizer.zero_grad()
            F.mse_loss(torch.tanh(F.linear(x, w, b)), y).backward()
            optimizer.step()
            steps.append(torch.cat([w.flatten(), b]).tolist())
        trajectories.append({"name": name, "options": rename(options), "steps": steps})

    schedules = []
    for name, options in [
        ("StepLR", {"step_size": 3, "gamma": 0.5}),
        ("CosineAnnealingLR", {"T_max": 10, "eta_min": 0.01}),
        ("OneCycleLR", {"max_lr": 0.5, "total_steps": 20}),
        ("OneCycleLR", {"max_lr": 0.5, "total_steps": 17, "pct_start": 0.4, "div_factor": 10.0, "final_div_factor": 100.0}),
    ]:
        optimizer = torch.optim.SGD([weight.clone().requires_grad_()], lr=0.1)
        extra = {"cycle_momentum": False} if name == "OneCycleLR" else {}
        schedule = getattr(torch.optim.lr_scheduler, name)(optimizer, **options, **extra)
        rates = [optimizer.param_groups[0]["lr"]]
        for _ in range(options.get("total_steps", 25) - 1):
            optimizer.step()
            schedule.step()
            rates.append(optimizer.param_groups[0]["lr"])
        schedules.append({"name": name, "options": options, "rates": rates})

    clipping = []
    for norm, max_norm in itertools.product([1.0, 2.0, 3.0, math.inf], [0.5, 100.0]):
        parameters = [torch.zeros(3, 2, requires_grad=True), torch.zeros(4, requires_grad=True)]
        for parameter in parameters:
            parameter.grad = torch.randn(parameter.shape)
        before = [pack(p.grad) for p in parameters]
        total = torch.nn.utils.clip_grad_norm_(parameters, max_norm, norm)
        clipping.append({"norm": norm if math.isfinite(norm) else "inf", "max_norm": max_norm, "before": before,
                         "total": total.item(), "after": [pack(p.grad) for p in parameters]})

    names = ["linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]
    gains = {name: torch.nn.init.calculate_gain(name) for name in names}
    gains["leaky_relu 0.3"] = torch.nn.init.calculate_gain("leaky_relu", 0.3)
    write("optimizers.json", {
        "x": pack(x), "y": pack(y), "weight": pack(weight), "bias": pack(bias), "gains": gains,
        "trajectories": trajectories, "schedules": schedules, "clipping": clipping,
    })


layers()
losses()
optimizers()
ops()
