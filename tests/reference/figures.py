"""What the scripts beside this one share: tensors as JSON, files with a case a line."""

import json
import math
import pathlib

import torch

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
HERE = pathlib.Path(__file__).parent


def pack(tensor):
    """A tensor as JSON; what is not finite as text."""
    values = tensor.detach().flatten().tolist()
    if not tensor.dtype.is_floating_point:
        return {"dtype": "int64", "shape": list(tensor.shape), "values": [int(v) for v in values]}
    values = [v if math.isfinite(v) else str(v) for v in values]
    return {"dtype": "float64", "shape": list(tensor.shape), "values": values}


def write(name, content):
    # One case a line, so that a difference can be read.
    lines = []
    for key, value in {"pytorch": torch.__version__, **content}.items():
        if isinstance(value, list):
            cases = ",\n".join("  " + json.dumps(case) for case in value)
            lines.append(f'"{key}": [\n{cases}\n]')
        else:
            lines.append(f'"{key}": {json.dumps(value)}')
    (HERE / name).write_text("{\n" + ",\n".join(lines) + "\n}\n")


def with_gradients(f, *inputs, cotangent_of=torch.randn):
    """Outputs of f, a random cotangent, and the gradients of the inputs that are floating."""
    inputs = [x.clone().requires_grad_() if x.dtype.is_floating_point else x for x in inputs]
    output = f(*inputs)
    if not output.requires_grad:
        return {"output": pack(output)}
    cotangent = cotangent_of(output.shape)
    floating = [x for x in inputs if x.requires_grad]
    gradients = torch.autograd.grad(output, floating, cotangent, allow_unused=True)
    gradients = [torch.zeros_like(x) if g is None else g for x, g in zip(floating, gradients)]
    return {"output": pack(output), "cotangent": pack(cotangent), "gradients": [pack(g) for g in gradients]}
