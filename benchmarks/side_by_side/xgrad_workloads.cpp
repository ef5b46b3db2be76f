#include <nn/nn.hpp>
#include <optional>

#include "workloads.hpp"

namespace bench {
namespace {

using namespace xgrad;

Tensor tensor(const std::vector<float>& values, const Shape& shape) {
  return Tensor(xt::adapt(values, std::vector<std::size_t>{values.size()})).reshape(shape).detach();
}
Tensor leaf(const std::vector<float>& values, const Shape& shape) { return tensor(values, shape).set_requires_grad(); }
std::vector<float> values_of(const Tensor& t) { return {t.data<float>(), t.data<float>() + t.size()}; }
void append(std::vector<float>& to, const Tensor& t) {
  const std::vector<float> values = values_of(t);
  to.insert(to.end(), values.begin(), values.end());
}

/// A scalar of leaves, with their gradients.
Implementation gradient_of(std::vector<Tensor> leaves, std::function<Tensor()> f) {
  const std::function<void()> run = [leaves, f]() mutable {
    for (Tensor& leaf : leaves) leaf.zero_grad();
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
      y = tanh(y);
      y = y - 0.1;
    }
    return sum(y);
  });
}

struct Network : nn::Module {
  std::vector<nn::Linear> layers;
  XGRAD_MODULE(layers)
  explicit Network(const Mlp& mlp) {
    for (std::size_t i = 0; i < mlp.layers(); ++i) {
      layers.emplace_back(mlp.widths[i], mlp.widths[i + 1]);
      layers[i].weight.assign(tensor(mlp.weight(i), {mlp.widths[i + 1], mlp.widths[i]}));
      layers[i].bias.assign(tensor(mlp.bias(i), {mlp.widths[i + 1]}));
    }
  }
  Tensor operator()(const Tensor& x) const {
    Tensor h = x;
    for (std::size_t i = 0; i + 1 < layers.size(); ++i) h = relu(layers[i](h));
    return layers.back()(h);
  }
};

struct Training {
  explicit Training(const Mlp& mlp)
      : network(mlp), x(tensor(mlp.input(), {mlp.batch, mlp.widths[0]})), targets(xt::adapt(mlp.targets(), {mlp.batch})) {
    if (mlp.adam) optimizer = std::make_unique<nn::Adam>(network.parameters(), nn::AdamOptions{.learning_rate = mlp.learning_rate});
    else
      optimizer = std::make_unique<nn::SGD>(network.parameters(),
                                            nn::SGDOptions{.learning_rate = mlp.learning_rate, .momentum = mlp.momentum});
    if (mlp.captured)
      captured.emplace(*optimizer, [this](const Tensor& input, const Tensor& classes) { return nn::cross_entropy(network(input), classes); });
  }
  Tensor step() {
    if (captured) return (*captured)(x, targets);
    optimizer->zero_grad();
    const Tensor loss = nn::cross_entropy(network(x), targets);
    loss.backward();
    optimizer->step();
    return loss;
  }
  Network network;
  Tensor x, targets;
  std::unique_ptr<nn::Optimizer> optimizer;
  std::optional<nn::TrainStep> captured;
};

/// The most that steps hold, over what they need; the pool's cache of free memory aside.
double peak_over_needed(const Mlp& mlp) {
  Training fresh(mlp);
  for (int i = 0; i < 3; ++i) fresh.step();
  const std::size_t held = 8 * fresh.targets.size() + 4 * fresh.x.size();
  std::size_t others = memory_statistics().in_use;
  // Between steps: values, the optimiser's state, and gradients, which captured steps do not leave.
  const std::size_t kept = (mlp.adam ? 4 : 3) - (mlp.captured ? 1 : 0);
  for (const Tensor& p : fresh.optimizer->parameters()) others -= 4 * static_cast<std::size_t>(p.size()) * kept;
  others -= std::min(others, held);
  reset_peak_memory_statistics();
  for (int i = 0; i < 3; ++i) fresh.step();
  return static_cast<double>(memory_statistics().peak_in_use - others) / mlp.needed_bytes();
}

Implementation training(const Mlp& mlp) {
  const auto state = std::make_shared<Training>(mlp);
  return {[state] { state->step(); }, [mlp] {
            Training fresh(mlp);
            std::vector<float> losses;
            for (int i = 0; i < steps_compared; ++i) append(losses, fresh.step());
            return losses;
          },
          [mlp] { return peak_over_needed(mlp); }};
}

/// Batches drawn anew for each epoch.
Implementation epoch() {
  struct State {
    Training training{mlps().at(epoch_mlp)};
    nn::Dataset data{Tensor(xt::adapt(epoch_pixels(), {epoch_images, std::size_t{784}})), Tensor(xt::adapt(epoch_classes(), {epoch_images}))};
    nn::DataLoader loader{data, {.batch_size = 128, .drop_last = true}};
  };
  const auto state = std::make_shared<State>();
  return {[state] {
            for (const auto& [x, targets] : state->loader) {
              state->training.x = x;
              state->training.targets = targets;
              state->training.step();
            }
          },
          training(mlps().at(epoch_mlp)).result};
}

Tensor gelu(const Tensor& x) { return 0.5 * x * (1 + tanh(0.7978845608 * (x + 0.044715 * x * x * x))); }

Implementation elementwise(const std::string& name) {
  const Tensor x = leaf(numbers(rows * columns, 1), {rows, columns}), a = leaf(numbers(columns, 2), {columns}),
               b = leaf(numbers(columns, 3), {columns}), w = tensor(numbers(rows * columns, 4), {rows, columns});
  if (name == "gelu") return gradient_of({x}, [x] { return sum(gelu(x)); });
  if (name == "gated") return gradient_of({x, a, b}, [=] { return sum(tanh(x * a + b) * sigmoid(x * b + a)); });
  if (name == "variance")
    return gradient_of({x}, [x] {
      const Tensor d = x - mean(x, -1, true);
      return sum(mean(d * d, -1));
    });
  return gradient_of({x, a, b}, [=] {
    const Tensor d = x - mean(x, -1, true);
    return sum(w * (d / sqrt(mean(d * d, -1, true) + 1e-5) * a + b));
  });
}

Implementation polynomial() {
  const Tensor x = tensor(numbers(points, 1), {points}), y = tensor(numbers(points, 2), {points});
  std::vector<Tensor> c;
  for (std::uint32_t i = 0; i < 6; ++i) c.push_back(leaf(numbers(1, 3 + i), {}));
  return gradient_of(c, [=] {
    Tensor p = c[5];
    for (std::size_t i = 5; i-- > 0;) p = p * x + c[i];
    return nn::mse_loss(p, y);
  });
}

Implementation hessian_vector_product(bool captured) {
  const Mlp mlp{{16, 32, 32, 1}, 16};
  std::vector<Tensor> parameters, direction;
  for (std::size_t i = 0; i < 3; ++i) {
    parameters.push_back(leaf(mlp.weight(i), {mlp.widths[i + 1], mlp.widths[i]}));
    parameters.push_back(leaf(mlp.bias(i), {mlp.widths[i + 1]}));
  }
  for (std::size_t i = 0; i < 6; ++i)
    direction.push_back(tensor(numbers(static_cast<std::size_t>(parameters[i].size()), 40 + static_cast<std::uint32_t>(i)), parameters[i].shape()));
  const Tensor x = tensor(mlp.input(), {16, 16});
  const auto loss = [x](const std::vector<Tensor>& p) {
    Tensor h = x;
    for (std::size_t i = 0; i < 3; ++i) {
      h = matmul(h, transpose(p[2 * i])) + p[2 * i + 1];
      if (i < 2) h = tanh(h);
    }
    return mean(h * h);
  };
  std::function<std::vector<Tensor>()> product = [=] {
    const std::vector<Tensor> g = grad({loss(parameters)}, parameters, {.create_graph = true});
    return grad(g, parameters, {.cotangents = direction});
  };
  if (captured) {
    const auto gradients = grad(loss);
    // The derivative of the gradient along the direction.
    const auto along = grad([=](const std::vector<Tensor>& p) {
      const std::vector<Tensor> g = gradients(p);
      Tensor slope = sum(g[0] * direction[0]);
      for (std::size_t i = 1; i < g.size(); ++i) slope = slope + sum(g[i] * direction[i]);
      return slope;
    });
    std::vector<Tensor> constants;
    for (const Tensor& p : parameters) constants.push_back(p.detach());
    product = [f = jit(along), constants] { return f(constants); };
  }
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
    NoGrad guard;
    Tensor y = (*network)(x);
    y.evaluate();
    return y;
  };
  return {[run] { run(); }, [run] { return values_of(run()); }};
}

}  // namespace

Implementations xgrad_workloads() {
  Implementations all;
  for (const int n : {1, 16, 256}) all["chain, size " + std::to_string(n)] = [n] { return chain(n); };
  for (const auto& [name, mlp] : mlps()) all[name] = [mlp = mlp] { return training(mlp); };
  all["gelu from primitives, 512x1024"] = [] { return elementwise("gelu"); };
  all["gated activation, 512x1024"] = [] { return elementwise("gated"); };
  all["row variance, 512x1024"] = [] { return elementwise("variance"); };
  all["normalisation from primitives, 512x1024"] = [] { return elementwise("normalisation"); };
  all["polynomial MSE, 262144 points"] = [] { return polynomial(); };
  for (const bool captured : {false, true})
    all[std::string("Hessian-vector product, MLP 16-32-32-1") + (captured ? ", captured" : "")] = [captured] { return hessian_vector_product(captured); };
  all["inference of one row, 784-256-128-10"] = [] { return inference(); };
  all["Fashion-MNIST epoch with its batches, Adam"] = [] { return epoch(); };
  return all;
}

}  // namespace bench
