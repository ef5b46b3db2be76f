"""Cases for every function of the engine that PyTorch has: values, and gradients of a random cotangent."""

import itertools
import math

import torch
import torch.nn.functional as F
from figures import pack, with_gradients, write

SHAPES = [(3, 4), (), (1,), (2, 1, 3), (0, 3)]
PAIRS = [((3, 4), (3, 4)), ((), ()), ((3, 1), (4,)), ((2, 1, 3), (4, 1)), ((2, 3), ()), ((1,), (2, 3)), ((0, 3), (3,))]
INF, NAN = math.inf, math.nan
CASES = []


def tidy(x):
    # Few digits, so that the file stays small; the numbers are exact all the same.
    return (x * 1024).round() / 1024


def draw(shape, low=-2.0, high=2.0):
    return tidy(low + (high - low) * torch.rand(shape))


def add(op, f, *inputs, **options):
    """A case of `op`: f of the inputs and of options that bear our names."""
    case = with_gradients(lambda *x: f(*x, **options), *inputs, cotangent_of=lambda shape: tidy(torch.randn(shape)))
    CASES.append({"op": op, "options": options, "inputs": [pack(x) for x in inputs], **case})


def numbers(*values):
    return torch.tensor(values)


def elementwise():
    any_, positive, inside = (-2, 2), (0.2, 3), (-0.9, 0.9)
    wide = numbers(-700, -40, -5.5, -1, -0.125, -1e-9, 1e-9, 0.25, 1, 7.75, 30, 700)
    above = numbers(1e-300, 1e-9, 0.5, 1, 1.5, 2, 40, 1e9, 1e300)
    unary = {
        "negative": (torch.neg, any_, wide), "exp": (torch.exp, any_, wide), "log": (torch.log, positive, above),
        "log1p": (torch.log1p, (-0.8, 3), above), "expm1": (torch.expm1, any_, wide), "sqrt": (torch.sqrt, positive, above),
        "square": (torch.square, any_, wide), "abs": (torch.abs, any_, numbers(-INF, -1, -0.0, 0, 1, INF)),
        "sign": (torch.sign, any_, numbers(-INF, 0, INF)), "sin": (torch.sin, any_, wide), "cos": (torch.cos, any_, wide),
        "tanh": (torch.tanh, any_, wide), "sigmoid": (torch.sigmoid, any_, wide), "erf": (torch.erf, any_, wide),
        "relu": (torch.relu, any_, numbers(-INF, -1, 0, 1, INF)), "tan": (torch.tan, (-1.2, 1.2), None),
        "arcsin": (torch.arcsin, inside, numbers(-1, 0, 1)), "arccos": (torch.arccos, inside, numbers(-1, 0, 1)),
        "arctan": (torch.arctan, any_, wide), "sinh": (torch.sinh, any_, wide), "cosh": (torch.cosh, any_, wide),
        "arcsinh": (torch.arcsinh, any_, wide), "arccosh": (torch.arccosh, (1.1, 4), numbers(1, 1.5, 1e9)),
        "arctanh": (torch.arctanh, inside, numbers(-1e-9, 0, 1e-9)), "exp2": (torch.exp2, any_, wide),
        "log2": (torch.log2, positive, above), "log10": (torch.log10, positive, above),
        "reciprocal": (torch.reciprocal, positive, wide), "rsqrt": (torch.rsqrt, positive, numbers(1e-9, 0.5, 1e9)),
        "erfc": (torch.erfc, any_, numbers(-30, -3, 0, 3, 20)), "lgamma": (torch.lgamma, (0.3, 5), numbers(-1.5, 0.5, 40, 1e5)),
        "digamma": (torch.digamma, (0.3, 5), numbers(-1.25, 0, 0.5, 40, 1e5)),
        # PyTorch would go over to x at 20, where 1e-9 is still missing.
        "softplus": (lambda x: F.softplus(x, threshold=600), any_, wide),
        "sinc": (torch.sinc, (-3, 3), numbers(0, 0.01, 0.25, 7.75, -0.3)), "floor": (torch.floor, any_, wide),
        "ceil": (torch.ceil, any_, wide), "round": (torch.round, any_, numbers(-2.5, -1.5, -0.5, 0.5, 1.5, 2.5)),
        "trunc": (torch.trunc, any_, wide), "isnan": (torch.isnan, any_, numbers(NAN, INF, 0)),
        "isinf": (torch.isinf, any_, numbers(NAN, INF, -INF, 0)), "isfinite": (torch.isfinite, any_, numbers(NAN, INF, 0)),
        "logical_not": (torch.logical_not, any_, numbers(0, 1, NAN)),
    }
    for op, (f, domain, more) in unary.items():
        for shape in SHAPES:
            add(op, f, draw(shape, *domain))
        if more is not None:
            add(op, f, more)
    for n, shape in itertools.product([0, 1, 2, 3], [(3, 4), ()]):
        add("polygamma", lambda x, n: torch.polygamma(n, x), draw(shape, 0.3, 5), n=n)
    replaced = {"nan": 7.0, "posinf": 8.0, "neginf": 9.0}
    add("nan_to_num", torch.nan_to_num, numbers(NAN, INF, -INF, 0, 2), **replaced)
    add("nan_to_num", torch.nan_to_num, numbers(NAN, INF, -INF, 0, 2))
    for shape in SHAPES:
        add("nan_to_num", torch.nan_to_num, draw(shape), **replaced)
        add("clip", lambda x, low, high: torch.clamp(x, low, high), draw(shape), low=-0.5, high=1.0)
        add("masked_fill", lambda x: x.masked_fill(x.detach() > 0, -1.5), draw(shape))
        add("masked_select", lambda x: x.masked_select(x.detach() > 0), draw(shape))
        add("to", lambda x: x.to(torch.float32).to(torch.float64), torch.randn(shape))
    add("clip", lambda x, low, high: torch.clamp(x, low, high), numbers(-1, -0.5, 0, 1, 2), low=-0.5, high=1.0)

    binary = {
        "add": (torch.add, any_, any_, []), "subtract": (torch.subtract, any_, any_, []),
        "multiply": (torch.multiply, any_, any_, []), "divide": (torch.divide, any_, positive, [((1, -1, 2), (-0.5, 4, 1e-9))]),
        "power": (torch.pow, positive, any_, [((0, 0, 0, -2, -2, 3), (0, 1, 2, 2, 0, 0.5))]),
        "maximum": (torch.maximum, any_, any_, [((1, 2, -INF), (1, 1, 0))]),
        "minimum": (torch.minimum, any_, any_, [((1, 2, INF), (1, 1, 0))]),
        "arctan2": (torch.arctan2, any_, any_, [((1, 0, -1), (0, -1, -2))]),
        "hypot": (torch.hypot, any_, any_, [((3, 1e200, 0), (4, 1e200, 2))]),
        "logaddexp": (torch.logaddexp, any_, any_, [((1000, -1000, 3), (1000, -1000, -800))]),
        "xlogy": (torch.xlogy, any_, positive, [((0, 0, 2), (2, 1, 1e-9))]),
        "fmod": (torch.fmod, (4.1, 4.9), (1.1, 1.3), [((-5, 5, -5), (3, -3, -3))]),
        "remainder": (torch.remainder, (-4.9, -4.1), (1.1, 1.3), [((-5, 5, -5), (3, -3, -3))]),
        "copysign": (lambda a, b: torch.copysign(a, b.detach()) + 0 * b, any_, any_, [((0, 0, 2, 2), (-1, 1, -0.0, 3))]),
    }
    for name in ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "logical_and", "logical_or", "logical_xor"]:
        f = {"equal": torch.eq}.get(name) or getattr(torch, name)
        binary[name] = (f, any_, any_, [((1, 2, 0, NAN, 0), (1, 1, 3, NAN, 0))])
    for op, (f, left, right, edges) in binary.items():
        for a, b in PAIRS:
            add(op, f, draw(a, *left), draw(b, *right))
        for a, b in edges:
            add(op, f, numbers(*map(float, a)), numbers(*map(float, b)))
    for a, b in PAIRS:
        add("lerp", lambda a, b, w: a + w * (b - a), draw(a), draw(b), draw(()))
        add("where", lambda c, a, b: torch.where(c > 0, a, b), draw(a), draw(b), draw(()))
    add("where", lambda c, a, b: torch.where(c > 0, a, b), numbers(1.0, -1), numbers(1.0, NAN), numbers(INF, 2))


def reductions():
    def some(x, axis):
        return list(range(x.dim())) if axis is None else axis

    def folded(f):
        """Of the axes as one at the end, for functions that take only one."""
        def g(x, axis=None, keepdims=False):
            axes = [a % x.dim() for a in some(x, axis)] if x.dim() else []
            kept = [a for a in range(x.dim()) if a not in axes]
            flat = x.permute(kept + axes).reshape([x.shape[a] for a in kept] + [-1])
            result = f(flat)
            return result.reshape([1 if a in axes else x.shape[a] for a in range(x.dim())]) if keepdims else result
        return g

    functions = {
        "sum": (lambda x, axis=None, keepdims=False: x.sum(some(x, axis), keepdims), {}),
        "mean": (lambda x, axis=None, keepdims=False: x.mean(some(x, axis), keepdims), {}),
        "max": (lambda x, axis=None, keepdims=False: x.amax(some(x, axis), keepdims), {}),
        "min": (lambda x, axis=None, keepdims=False: x.amin(some(x, axis), keepdims), {}),
        "logsumexp": (lambda x, axis=None, keepdims=False: x.logsumexp(some(x, axis), keepdims), {}),
        "prod": (folded(lambda x: x.prod(-1)), {}),
        "any": (folded(lambda x: (x > 1).any(-1)), {}),
        "all": (folded(lambda x: (x > -1).all(-1)), {}),
        "median": (folded(lambda x: x.quantile(0.5, -1)), {}),
    }
    for ddof in [0, 1]:
        functions[f"var {ddof}"] = (lambda x, axis=None, keepdims=False, ddof=0: torch.var(x, some(x, axis), correction=ddof, keepdim=keepdims), {"ddof": ddof})
        functions[f"stddev {ddof}"] = (lambda x, axis=None, keepdims=False, ddof=0: torch.std(x, some(x, axis), correction=ddof, keepdim=keepdims), {"ddof": ddof})
    for p in [2.0, 1.0, 3.0, 0.5, 1.5, -1.0, "inf", "-inf"]:
        functions[f"norm {p}"] = (lambda x, p, axis=None, keepdims=False: torch.linalg.vector_norm(x, float(p), axis, keepdims), {"p": p})
    ways = [{}, {"axis": [-1], "keepdims": True}, {"axis": [0, 2]}, {"axis": [1]}]
    for name, (f, options) in functions.items():
        op = name.split()[0]
        for way in ways:
            add(op, f, draw((2, 3, 4)), **options, **way)
        if options.get("ddof") != 1:
            add(op, f, draw(()), **options)
        add(op, f, draw((3, 1, 2)), axis=[0], **options)
        add(op, f, draw((0, 3) if op in ["sum", "prod", "logsumexp", "any", "all"] else (3,)), **options)
        if op not in ["var", "stddev"]:
            add(op, f, draw((3, 1)), axis=[1], **options)
    for zeros in [(2, 0, 3), (0, 0, 3), (0.5, -2, 3)]:
        add("prod", functions["prod"][0], numbers(*map(float, zeros)))
    for tied in ["max", "min"]:
        add(tied, functions[tied][0], numbers(1.0, 2, 2, 1, 1))
    for p in [2.0, 1.0, 3.0]:
        add("norm", functions[f"norm {p}"][0], torch.zeros(2), p=p)
    for x, p in [((0, -2), 1.0), ((0, 4), 0.5), ((0, 4, -1), 1.5), ((3, 1, -3), "inf")]:
        add("norm", functions[f"norm {p}"][0], numbers(*map(float, x)), p=p)
    add("stddev", functions["stddev 0"][0], torch.full((3,), 2.0), ddof=0)
    add("var", functions["var 0"][0], torch.full((2,), 2.0), ddof=0)
    for name, smallest in itertools.product(["argmax", "argmin"], [{}, {"axis": 1}, {"axis": -1, "keepdims": True}]):
        f = getattr(torch, name)
        add(name, lambda x, axis=None, keepdims=False: f(x, axis, keepdims), draw((2, 3, 4)), **smallest)

    along = {"cumsum": torch.cumsum, "cumprod": torch.cumprod, "logcumsumexp": torch.logcumsumexp, "softmax": torch.softmax,
             "log_softmax": torch.log_softmax}
    for op, f in along.items():
        for shape, axis in [((2, 5, 3), 1), ((2, 3), 0), ((4,), -1), ((1, 3), 0), ((2, 0), 0)]:
            add(op, lambda x, axis: f(x, axis), draw(shape), axis=axis)
    for zeros in [(2, 0, 3, 4), (2, 0, 3, 0, 5), (0, 1, 2)]:
        add("cumprod", lambda x, axis: x.cumprod(axis), numbers(*map(float, zeros)), axis=0)
    for op in ["softmax", "log_softmax"]:
        add(op, lambda x, axis: along[op](x, axis), numbers(1e4, 0, -1e4), axis=0)
        add(op, lambda x, axis: along[op](x, axis), numbers(-INF, 1, 2), axis=0)


def shapes():
    cube, square = draw((2, 3, 4)), draw((4, 4))
    add("reshape", lambda x: x.reshape(6, 4), cube)
    for x in [cube, draw((3, 4)), draw((4,)), draw(()), draw((0, 3))]:
        add("transpose", lambda x: x.permute(list(reversed(range(x.dim())))), x)
        add("flip", lambda x: x.flip(list(range(x.dim()))), x)
        add("flatten", lambda x: x.flatten(), x)
        add("squeeze", lambda x: x.squeeze(), x)
        add("expand_dims", lambda x: x.unsqueeze(0), x)
        if x.dim() > 0:
            add("roll", lambda x, shift, axis: x.roll(shift, axis), x, shift=-4, axis=0)
            add("repeat", lambda x, repeats, axis: x.repeat_interleave(repeats, axis), x, repeats=3, axis=-1)
            add("tile", lambda x, counts: x.tile(counts), x, counts=[2, 1, 3])
    add("transpose", lambda x, axes: x.permute(axes), cube, axes=[1, 2, 0])
    add("matrix_transpose", lambda x: x.mT, cube)
    for shape in [(3, 1), (), (4,), (1, 1, 4)]:
        add("broadcast_to", lambda x: x.broadcast_to(2, 3, 4), draw(shape))
    add("squeeze", lambda x: x.squeeze(), draw((1, 3, 1, 2)))
    add("moveaxis", lambda x: x.moveaxis(0, -1), cube)
    add("swapaxes", lambda x: x.swapaxes(0, 2), cube)
    add("concatenate", lambda x, y: torch.cat([x, y, x], 1), draw((2, 3)), draw((2, 1)))
    add("concatenate", lambda x, y: torch.cat([x, y, x], 1), draw((2, 3)), draw((2, 0)))
    add("stack", lambda x, y: torch.stack([x, y], -1), draw((2, 3)), draw((2, 3)))
    add("split", lambda x: torch.tensor_split(x, [1, 3], -1)[1], cube)
    add("slice", lambda x: x[1:, None, -1, 0:4:2], cube)
    add("slice", lambda x, index: x[..., index], cube, index=-3)
    add("pad", lambda x: F.pad(x, (1, 2, 0, 3)), cube)
    add("pad", lambda x, mode: F.pad(x, (2, 1), mode="reflect"), cube, mode="reflect")
    add("pad", lambda x, mode: F.pad(x, (2, 1), mode="replicate"), cube, mode="edge")
    for offset in [0, 1, -2]:
        add("diagonal", lambda x, offset: x.diagonal(offset, 0, 2), cube, offset=offset)
        add("diag", lambda x, offset: x.diag(offset), square, offset=offset)
        add("diag", lambda x, offset: x.diag(offset), draw((3,)), offset=offset)
        add("tril", lambda x, offset: x.tril(offset), cube, offset=offset)
        add("triu", lambda x, offset: x.triu(offset), cube, offset=offset)
        add("trace", lambda x, offset: x.diagonal(offset).sum(-1), draw((3, 4)), offset=offset)

    indices = torch.tensor([2, 0, 2, 2])
    for shape in [(3, 4), (3,), (3, 0)]:
        add("take", lambda x, i: x[i], draw(shape), indices)
    add("take", lambda x, i: x[i], draw((3, 2)), indices.reshape(2, 2))
    grid = torch.tensor([[2, 0, 2], [1, 1, 0]])
    add("take_along_axis", lambda x, i: x.gather(1, i), draw((2, 3)), grid)
    add("scatter_add", lambda x, i, s: x.scatter_add(1, i, s), draw((2, 4)), grid, draw((2, 3)))
    add("index_add", lambda x, i, s: x.index_add(0, i, s), draw((3, 2)), indices, draw((4, 2)))
    add("one_hot", lambda i: F.one_hot(i, 4), grid)
    add("at().set", lambda x, v: x.index_put((torch.tensor([1]),), v), draw((3, 4)), draw((4,)))
    add("at().add", lambda x, i, v: x.index_put((i,), v, accumulate=True), draw((3, 2)), indices, draw((4, 2)))
    for x, axis in [(cube, -1), (cube, 0), (draw((1, 3)), 0), (draw((0, 2)), 1)]:
        for descending in [False, True]:
            for part, op in enumerate(["sort", "argsort"]):
                add(op, lambda x, axis, descending: x.sort(axis, descending)[part], x, axis=axis, descending=descending)
    for largest in [False, True]:
        add("topk", lambda x, largest: x.topk(2, 1, largest)[0], cube, largest=largest)
        add("searchsorted", lambda s, v, right: torch.searchsorted(s, v, right=right), numbers(1.0, 2, 2, 5), numbers(2.0, 0, 9, 5), right=largest)
    add("nonzero", lambda x: (x.detach() > 0).nonzero(), cube)


def products():
    for a, b in [((3, 4), (4, 2)), ((4,), (4,)), ((3, 4), (4,)), ((4,), (2, 4, 3)), ((2, 1, 3, 4), (3, 4, 2)), ((2, 0), (0, 3)), ((1, 1), (1, 1))]:
        add("matmul", torch.matmul, draw(a), draw(b))
    for op, f, pairs in [
        ("dot", lambda a, b: torch.tensordot(a, b, ([-1], [-2 if b.dim() > 1 else -1])), [((4,), (4,)), ((2, 3), (4, 3, 2))]),
        ("inner", torch.inner, [((2, 3), (4, 3)), ((3,), (3,)), ((), (2,))]),
        ("outer", torch.outer, [((2,), (3,)), ((1,), (2,)), ((0,), (2,))]),
        ("tensordot", lambda a, b: torch.tensordot(a, b, 2), [((2, 3, 4), (3, 4, 5)), ((1, 2), (1, 2))]),
        ("kron", torch.kron, [((2, 3), (4, 2)), ((3,), (2, 2)), ((), (2,))]),
        ("cross", lambda a, b: torch.linalg.cross(a, b, dim=-1), [((2, 3), (2, 3)), ((3,), (3,))]),
    ]:
        for a, b in pairs:
            add(op, f, draw(a), draw(b))
    for subscripts, *operands in [
        ("ij,jk->ik", (2, 3), (3, 4)), ("ii", (3, 3)), ("ii->i", (3, 3)), ("ij->", (2, 3)), ("i,i", (3,), (3,)), ("i,j", (2,), (3,)),
        ("ij,ij->", (2, 3), (2, 3)), ("bij,bjk->bik", (2, 3, 4), (2, 4, 2)), ("...ij,...jk->...ik", (2, 1, 2, 3), (4, 3, 2)),
        ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)), ("iji->ji", (2, 3, 2)), ("ijk,ijk->j", (2, 3, 2), (2, 3, 2)),
        ("ab,bc,cd,da->", (2, 3), (3, 2), (2, 4), (4, 2)), ("i...->...", (2, 3, 2)), ("...", (2, 3)), ("ba", (2, 3)), ("aab,b->a", (2, 2, 3), (3,)),
        ("Aa,aB->AB", (2, 3), (3, 2)), (" i j , j k -> i k ", (2, 3), (3, 2)), ("ii,ii->i", (3, 3), (3, 3)), ("i,ij,j->", (2,), (2, 3), (3,)),
        ("ij,jk", (2, 0), (0, 3)), (",", (), ()), ("...i,i->...", (2, 3), (3,)),
    ]:
        add("einsum", lambda *x, subscripts: torch.einsum(subscripts, *x), *map(draw, operands), subscripts=subscripts)


def linear_algebra():
    def regular(*shape):
        return draw(shape, -1, 1) + 3 * torch.eye(shape[-1])

    def definite(*shape):
        x = draw(shape, -1, 1)
        return tidy(x @ x.mT) + torch.eye(shape[-1])

    def symmetric(x):
        return x + x.mT

    for shape in [(3, 3), (1, 1), (2, 3, 3), (2, 1, 2, 2), (0, 0)]:
        add("cholesky", torch.linalg.cholesky, definite(*shape))
        add("inv", torch.linalg.inv, regular(*shape))
        add("det", torch.linalg.det, regular(*shape))
        add("det", torch.linalg.det, draw(shape))
        add("slogdet", lambda x: torch.linalg.slogdet(x)[1], -regular(*shape))
        add("expm", torch.matrix_exp, draw(shape))
        for n in [0, 1, 5, -2]:
            add("matrix_power", lambda x, n: torch.linalg.matrix_power(x, n), tidy(regular(*shape) / 3), n=n)
        # Eigenvectors up to their signs.
        add("eigh", lambda x: torch.linalg.eigvalsh(symmetric(x)), draw(shape))
        add("eigh", lambda x, part: torch.linalg.eigh(symmetric(x))[1].square(), draw(shape), part="vectors")
    for shape in [(3, 2), (2, 3), (2, 3, 3), (1, 1)]:
        for part in [0, 1, 2]:
            add("svd", lambda x, part: torch.linalg.svd(x, full_matrices=False)[part].square(), draw(shape), part=part)
        for part in [0, 1]:
            add("qr", lambda x, part: torch.linalg.qr(x)[part].square(), draw(shape), part=part)
        add("pinv", torch.linalg.pinv, draw(shape))
    for a, b in [((3, 3), (3, 2)), ((3, 3), (3, 1)), ((2, 3, 3), (3, 2)), ((3, 3), (2, 3, 4)), ((1, 1), (1, 1))]:
        add("solve", torch.linalg.solve, regular(*a), draw(b))
        for lower, transposed, unit in itertools.product([True, False], [True, False], [True, False]):
            def triangular(a, b, lower, transposed, unit):
                a = a.tril() if lower else a.triu()
                return torch.linalg.solve_triangular(a.mT if transposed else a, b, upper=lower == transposed, unitriangular=unit)
            if a == (3, 3) and b == (3, 2) or not unit:
                add("triangular_solve", triangular, regular(*a), draw(b), lower=lower, transposed=transposed, unit=unit)
    for a, b in [((4, 2), (4, 3)), ((2, 4), (2, 1)), ((2, 4, 3), (2, 4, 2))]:
        add("lstsq", lambda a, b: torch.linalg.lstsq(a, b)[0], draw(a), draw(b))


def convolutions():
    def conv(f):
        return lambda x, w, b=None, **o: f(x, w, b, **o)

    plain = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1}
    for x, w, options in [
        ((2, 2, 4, 5), (3, 2, 2, 3), {}), ((1, 1, 1, 1), (1, 1, 1, 1), {}), ((1, 4, 5, 5), (2, 2, 3, 3), {"padding": 1, "groups": 2}),
        ((2, 2, 5, 4), (2, 2, 3, 2), {"stride": [2, 1], "padding": [1, 2], "dilation": [1, 2]}), ((0, 2, 3, 3), (2, 2, 2, 2), {}),
    ]:
        add("conv2d", conv(F.conv2d), draw(x), draw(w), draw((w[0],)), **{**plain, **options})
    for x, w, options in [
        ((2, 2, 3, 2), (2, 3, 2, 2), {}), ((1, 4, 2, 3), (4, 2, 3, 2), {"stride": [2, 3], "padding": [1, 0], "dilation": [1, 2], "groups": 2, "output_padding": [1, 2]}),
    ]:
        add("conv_transpose2d", conv(F.conv_transpose2d), draw(x), draw(w), **{**plain, "output_padding": 0, **options})
    add("conv1d", conv(F.conv1d), draw((2, 2, 7)), draw((3, 2, 3)), draw((3,)), **{**plain, "stride": 2, "padding": 1})
    add("conv1d", conv(F.conv1d), draw((1, 4, 5)), draw((4, 2, 2)), **{**plain, "dilation": 2, "groups": 2})
    add("conv_transpose1d", conv(F.conv_transpose1d), draw((2, 2, 4)), draw((2, 3, 3)), draw((3,)), **{**plain, "output_padding": 0, "stride": 2, "padding": 1})
    window = {"kernel": [3, 2], "stride": [2, 1], "padding": [1, 0], "dilation": [1, 2]}
    add("unfold", lambda x, kernel, **o: F.unfold(x, kernel, **o), draw((2, 2, 4, 5)), **window)
    add("fold", lambda x, size, kernel, **o: F.fold(x, size, kernel, **o), draw((1, 12, 6)), size=[4, 5], **window)
    add("max_pool2d", lambda x, kernel, **o: F.max_pool2d(x, kernel, **o), draw((2, 2, 5, 5)), **window)
    add("max_pool2d", lambda x, kernel, **o: F.max_pool2d(x, kernel, **o), torch.ones(1, 1, 2, 2), **{**window, "kernel": [2, 2], "dilation": [1, 1]})
    # Of equal elements the first; and -inf alone, beside padding.
    add("max_pool2d", lambda x, kernel, stride: F.max_pool2d(x, kernel, stride), numbers(1.0, 3, 3, 3).reshape(1, 1, 2, 2), kernel=2, stride=2)
    add("max_pool2d", lambda x, kernel, stride, padding: F.max_pool2d(x, kernel, stride, padding), torch.full((1, 1, 1, 2), -INF), kernel=3, stride=2, padding=1)
    for pad_counts in [True, False]:
        add("avg_pool2d", lambda x, kernel, stride, padding, pad_counts: F.avg_pool2d(x, kernel, stride, padding, count_include_pad=pad_counts),
            draw((2, 2, 5, 5)), kernel=[3, 2], stride=[2, 1], padding=[1, 0], pad_counts=pad_counts)
    add("max_pool1d", lambda x, kernel: F.max_pool1d(x, kernel), draw((2, 2, 6)), kernel=2)
    add("avg_pool1d", lambda x, kernel: F.avg_pool1d(x, kernel), draw((2, 2, 6)), kernel=2)


def fourier():
    def real(transform):
        return lambda x, **o: torch.view_as_real(transform(x, **o))

    def complex_(transform):
        return lambda x, **o: transform(torch.view_as_complex(x), **o)

    for shape, axis in [((6,), 0), ((5,), -1), ((1,), 0), ((2, 7), -1), ((4, 3), 0), ((2, 5, 3), 1)]:
        pairs = (*shape, 2)
        half = list(pairs)
        half[axis - 1 if axis < 0 else axis] = shape[axis] // 2 + 1
        add("rfft", real(lambda x, axis: torch.fft.rfft(x, dim=axis)), draw(shape), axis=axis)
        add("irfft", complex_(lambda y, n, axis: torch.fft.irfft(y, n, dim=axis)), draw(half), n=shape[axis], axis=axis)
        add("fft", real(complex_(lambda x, axis: torch.fft.fft(x, dim=axis))), draw(pairs), axis=axis)
        add("ifft", real(complex_(lambda x, axis: torch.fft.ifft(x, dim=axis))), draw(pairs), axis=axis)


def ops():
    torch.manual_seed(4)
    for family in [elementwise, reductions, shapes, products, linear_algebra, convolutions, fourier]:
        family()
    write("ops.json", {"cases": CASES})
