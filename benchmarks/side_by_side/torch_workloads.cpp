#include "workloads.hpp"

#ifdef BENCH_WITH_TORCH
#include <torch/torch.h>

namespace bench {
namespace {

using torch::Tensor;

Tensor tensor(const std::vector<float>& values, at::IntArrayRef shape) { return torch::tensor(values).reshape(shape).clone(); }
Tensor leaf(const std::vector<float>& values, at::IntArrayRef shape) { return tensor(values, shape).set_requires_grad(true); }
void append(std::vector<float>& to, const Tensor& t) {
  const Tensor flat = t.detach().contiguous();
  to.insert(to.end(), flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel());
}

Implementation gradient_of(std::vector<Tensor> leaves, std::function<Tensor()> f) {
  const std::function<void()> run = [leaves, f]() mutable {
    for (Tensor& leaf : leaves) leaf.mutable_grad() = Tensor();
    const Tensor loss = f();
    loss.backward();
  };
  return {run, [leaves, run] {
            run();
            std::vector<float> result;
            for (const Tensor& leaf : leaves) append(result, leaf.grad());
            return result;
          }};
}

Implementation chain(std::int64_t n) {
  const Tensor x = leaf(numbers(static_cast<std::size_t>(n), 1), {n});
  return gradient_of({x}, [x] {
    Tensor y = x;
    for (int i = 0; i < chain_nodes / 4; ++i) {
      y = y * 1.01;
      y = y + x;
      y = torch::tanh(y);
      y = y - 0.1;
    }
    return y.sum();
  });
}

struct Network : torch::nn::Module {
  std::vector<torch::nn::Linear> layers;
  explicit Network(const Mlp& mlp) {
    torch::NoGradGuard guard;
    for (std::size_t i = 0; i < mlp.layers(); ++i) {
      layers.push_back(register_module(std::to_string(i), torch::nn::Linear(mlp.widths[i], mlp.widths[i + 1])));
      layers[i]->weight.copy_(tensor(mlp.weight(i), {mlp.widths[i + 1], mlp.widths[i]}));
      layers[i]->bias.copy_(tensor(mlp.bias(i), {mlp.widths[i + 1]}));
    }
  }
  Tensor forward(const Tensor& x) {
    Tensor h = x;
    for (std::size_t i = 0; i + 1 < layers.size(); ++i) h = torch::relu(layers[i](h));
    return layers.back()(h);
  }
};

struct Training {
  explicit Training(const Mlp& mlp)
      : network(std::make_shared<Network>(mlp)), x(tensor(mlp.input(), {mlp.batch, mlp.widths[0]})), targets(torch::tensor(mlp.targets())) {
    if (mlp.adam) optimizer = std::make_unique<torch::optim::Adam>(network->parameters(), torch::optim::AdamOptions(mlp.learning_rate));
    else
      optimizer = std::make_unique<torch::optim::SGD>(network->parameters(),
                                                      torch::optim::SGDOptions(mlp.learning_rate).momentum(mlp.momentum));
  }
  Tensor step() {
    optimizer->zero_grad();
    const Tensor loss = torch::nn::functional::cross_entropy(network->forward(x), targets);
    loss.backward();
    optimizer->step();
    return loss;
  }
  std::shared_ptr<Network> network;
  Tensor x, targets;
  std::unique_ptr<torch::optim::Optimizer> optimizer;
};

Implementation training(const Mlp& mlp) {
  const auto state = std::make_shared<Training>(mlp);
  return {[state] { state->step(); }, [mlp] {
            Training fresh(mlp);
            std::vector<float> losses;
            for (int i = 0; i < steps_compared; ++i) append(losses, fresh.step());
            return losses;
          }};
}

Implementation epoch() {
  const auto state = std::make_shared<Training>(mlps().at(epoch_mlp));
  constexpr auto images = static_cast<std::int64_t>(epoch_images);
  const Tensor pixels = torch::from_blob(const_cast<float*>(epoch_pixels().data()), {images, 784}, torch::kFloat),
               classes = torch::from_blob(const_cast<std::int64_t*>(epoch_classes().data()), {images}, torch::kLong);
  return {[=] {
            const Tensor order = torch::randperm(images);
            for (std::int64_t first = 0; first + 128 <= images; first += 128) {
              const Tensor rows = order.slice(0, first, first + 128);
              state->x = pixels.index_select(0, rows);
              state->targets = classes.index_select(0, rows);
              state->step();
            }
          },
          training(mlps().at(epoch_mlp)).result};
}

Tensor composed_gelu(const Tensor& x) { return 0.5 * x * (1 + torch::tanh(0.7978845608 * (x + 0.044715 * x * x * x))); }

Implementation elementwise(const std::string& name) {
  constexpr auto n = static_cast<std::int64_t>(rows), m = static_cast<std::int64_t>(columns);
  const Tensor x = leaf(numbers(rows * columns, 1), {n, m}), a = leaf(numbers(columns, 2), {m}), b = leaf(numbers(columns, 3), {m}),
               w = tensor(numbers(rows * columns, 4), {n, m});
  if (name == "gelu") return gradient_of({x}, [x] { return composed_gelu(x).sum(); });
  if (name == "gated") return gradient_of({x, a, b}, [=] { return (torch::tanh(x * a + b) * torch::sigmoid(x * b + a)).sum(); });
  if (name == "variance")
    return gradient_of({x}, [x] {
      const Tensor d = x - x.mean(-1, true);
      return (d * d).mean(-1).sum();
    });
  return gradient_of({x, a, b}, [=] {
    const Tensor d = x - x.mean(-1, true);
    return (w * (d / torch::sqrt((d * d).mean(-1, true) + 1e-5) * a + b)).sum();
  });
}

Implementation polynomial() {
  const Tensor x = tensor(numbers(points, 1), {-1}), y = tensor(numbers(points, 2), {-1});
  std::vector<Tensor> c;
  for (std::uint32_t i = 0; i < 6; ++i) c.push_back(leaf(numbers(1, 3 + i), {}));
  return gradient_of(c, [=] {
    Tensor p = c[5];
    for (std::size_t i = 5; i-- > 0;) p = p * x + c[i];
    return torch::mse_loss(p, y);
  });
}

Implementation hessian_vector_product() {
  const Mlp mlp{{16, 32, 32, 1}, 16};
  std::vector<Tensor> parameters, direction;
  for (std::size_t i = 0; i < 3; ++i) {
    parameters.push_back(leaf(mlp.weight(i), {mlp.widths[i + 1], mlp.widths[i]}));
    parameters.push_back(leaf(mlp.bias(i), {mlp.widths[i + 1]}));
  }
  for (std::size_t i = 0; i < 6; ++i)
    direction.push_back(tensor(numbers(static_cast<std::size_t>(parameters[i].numel()), 40 + static_cast<std::uint32_t>(i)), parameters[i].sizes()));
  const Tensor x = tensor(mlp.input(), {16, 16});
  const auto product = [=] {
    Tensor h = x;
    for (std::size_t i = 0; i < 3; ++i) {
      h = torch::matmul(h, parameters[2 * i].t()) + parameters[2 * i + 1];
      if (i < 2) h = torch::tanh(h);
    }
    const auto g = torch::autograd::grad({(h * h).mean()}, parameters, {}, true, true);
    return torch::autograd::grad(g, parameters, direction);
  };
  return {[=] { product(); }, [=] {
            std::vector<float> result;
            for (const Tensor& part : product()) append(result, part);
            return result;
          }};
}

Implementation inference() {
  const Mlp mlp{{784, 256, 128, 10}, 1};
  const auto network = std::make_shared<Network>(mlp);
  const Tensor x = tensor(mlp.input(), {1, 784});
  const auto run = [network, x] {
    torch::NoGradGuard guard;
    return network->forward(x);
  };
  return {[run] { run(); }, [run] {
            std::vector<float> result;
            append(result, run());
            return result;
          }};
}

}  // namespace

Implementations torch_workloads() {
  Implementations all;
  for (const int n : {1, 16, 256}) all["chain, size " + std::to_string(n)] = [n] { return chain(n); };
  for (const auto& [name, mlp] : mlps()) all[name] = [mlp = mlp] { return training(mlp); };
  all["gelu from primitives, 512x1024"] = [] { return elementwise("gelu"); };
  all["gated activation, 512x1024"] = [] { return elementwise("gated"); };
  all["row variance, 512x1024"] = [] { return elementwise("variance"); };
  all["normalisation from primitives, 512x1024"] = [] { return elementwise("normalisation"); };
  all["polynomial MSE, 262144 points"] = [] { return polynomial(); };
  all["Hessian-vector product, MLP 16-32-32-1"] = [] { return hessian_vector_product(); };
  all["Hessian-vector product, MLP 16-32-32-1, captured"] = [] { return hessian_vector_product(); };
  all["inference of one row, 784-256-128-10"] = [] { return inference(); };
  all["Fashion-MNIST epoch with its batches, Adam"] = [] { return epoch(); };
  return all;
}
void set_torch_threads(int threads) { at::set_num_threads(threads); }
std::string torch_version() { return TORCH_VERSION; }

}  // namespace bench
#else
namespace bench {
Implementations torch_workloads() { return {}; }
void set_torch_threads(int) {}
std::string torch_version() { return {}; }
}  // namespace bench
#endif
