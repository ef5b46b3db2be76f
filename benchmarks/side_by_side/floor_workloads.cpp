// Loops written by hand for one shape each: buffers laid out beforehand, products by BLAS, the rest in as few passes as it
// takes. What a library can approach, not what it can pass.
#include <cblas.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <xsimd/xsimd.hpp>

#include "workloads.hpp"

namespace bench {
namespace {

using Batch = xsimd::batch<float>;
constexpr std::size_t width = Batch::size;
Batch load(const float* p) { return Batch::load_unaligned(p); }
float total_of(const Batch& x) {
#if XSIMD_VERSION_MAJOR >= 9
  return xsimd::reduce_add(x);
#else
  return xsimd::hadd(x);
#endif
}

class MlpFloor {
 public:
  explicit MlpFloor(const Mlp& mlp) : mlp_(mlp), targets_(mlp.targets()) {
    for (std::size_t i = 0; i < mlp.layers(); ++i) {
      weights_.push_back({mlp.weight(i), {}, {}, {}});
      biases_.push_back({mlp.bias(i), {}, {}, {}});
      outputs_.emplace_back(static_cast<std::size_t>(mlp.batch * mlp.widths[i + 1]));
      cotangents_.emplace_back(outputs_.back().size());
    }
    for (auto* all : {&weights_, &biases_})
      for (Parameter& p : *all) {
        p.gradient.resize(p.value.size());
        p.first.resize(p.value.size());
        if (mlp.adam) p.second.resize(p.value.size());
      }
    input_ = mlp.input();
  }

  void forward() {
    const float* x = input_.data();
    for (std::size_t i = 0; i < mlp_.layers(); ++i) {
      const int in = mlp_.widths[i], out = mlp_.widths[i + 1];
      float* y = outputs_[i].data();
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, mlp_.batch, out, in, 1, x, in, weights_[i].value.data(), in, 0, y, out);
      const float* bias = biases_[i].value.data();
      const float low = i + 1 < mlp_.layers() ? 0 : -INFINITY;
      for (int r = 0; r < mlp_.batch; ++r)
        for (int j = 0; j < out; ++j) y[r * out + j] = std::max(y[r * out + j] + bias[j], low);
      x = y;
    }
  }

  float step() {
    forward();
    const int classes = mlp_.widths.back();
    float loss = 0;
    for (int r = 0; r < mlp_.batch; ++r) {
      const float* y = outputs_.back().data() + r * classes;
      float* g = cotangents_.back().data() + r * classes;
      const float largest = *std::max_element(y, y + classes);
      float total = 0;
      for (int j = 0; j < classes; ++j) total += g[j] = std::exp(y[j] - largest);
      for (int j = 0; j < classes; ++j) g[j] /= total * static_cast<float>(mlp_.batch);
      const auto target = targets_[static_cast<std::size_t>(r)];
      g[target] -= 1 / static_cast<float>(mlp_.batch);
      loss += std::log(total) + largest - y[target];
    }
    for (std::size_t i = mlp_.layers(); i-- > 0;) {
      const int in = mlp_.widths[i], out = mlp_.widths[i + 1];
      const float* x = i > 0 ? outputs_[i - 1].data() : input_.data();
      const float* g = cotangents_[i].data();
      cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, out, in, mlp_.batch, 1, g, out, x, in, 0, weights_[i].gradient.data(), in);
      float* bias = biases_[i].gradient.data();
      std::fill(bias, bias + out, 0.0f);
      for (int r = 0; r < mlp_.batch; ++r)
        for (int j = 0; j < out; ++j) bias[j] += g[r * out + j];
      if (i == 0) continue;
      float* below = cotangents_[i - 1].data();
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, mlp_.batch, in, out, 1, g, out, weights_[i].value.data(), in, 0, below, in);
      for (int k = 0; k < mlp_.batch * in; ++k) below[k] = x[k] > 0 ? below[k] : 0;
    }
    ++steps_;
    for (auto* all : {&weights_, &biases_})
      for (Parameter& p : *all) update(p);
    return loss / static_cast<float>(mlp_.batch);
  }
  /// A batch of an epoch.
  void take(const std::uint32_t* images) {
    for (std::size_t i = 0; i < targets_.size(); ++i) {
      std::copy_n(&epoch_pixels()[images[i] * std::size_t{784}], 784, &input_[i * 784]);
      targets_[i] = epoch_classes()[images[i]];
    }
  }
  const std::vector<float>& output() const { return outputs_.back(); }

 private:
  struct Parameter {
    std::vector<float> value, gradient, first, second;
  };
  void update(Parameter& p) const {
    const std::size_t n = p.value.size();
    float *__restrict value = p.value.data(), *__restrict first = p.first.data(), *__restrict second = p.second.data();
    const float *__restrict g = p.gradient.data(), rate = mlp_.learning_rate;
    if (!mlp_.adam) {
      for (std::size_t i = 0; i < n; ++i) {
        first[i] = mlp_.momentum * first[i] + g[i];
        value[i] -= rate * first[i];
      }
      return;
    }
    const float t = static_cast<float>(steps_), c1 = rate / (1 - std::pow(0.9f, t)), c2 = 1 / std::sqrt(1 - std::pow(0.999f, t));
    for (std::size_t i = 0; i < n; ++i) {
      first[i] = 0.9f * first[i] + 0.1f * g[i];
      second[i] = 0.999f * second[i] + 0.001f * g[i] * g[i];
      value[i] -= c1 * first[i] / (std::sqrt(second[i]) * c2 + 1e-8f);
    }
  }

  Mlp mlp_;
  std::vector<std::int64_t> targets_;
  std::vector<float> input_;
  std::vector<Parameter> weights_, biases_;
  std::vector<std::vector<float>> outputs_, cotangents_;
  int steps_ = 0;
};

Implementation training(const Mlp& mlp) {
  const auto state = std::make_shared<MlpFloor>(mlp);
  return {[state] { state->step(); }, [mlp] {
            MlpFloor fresh(mlp);
            std::vector<float> losses;
            for (int i = 0; i < steps_compared; ++i) losses.push_back(fresh.step());
            return losses;
          }};
}

Implementation epoch() {
  struct State {
    MlpFloor mlp{mlps().at(epoch_mlp)};
    std::vector<std::uint32_t> order = std::vector<std::uint32_t>(epoch_images);
    std::mt19937 engine;
  };
  const auto state = std::make_shared<State>();
  std::iota(state->order.begin(), state->order.end(), 0u);
  return {[state] {
            std::shuffle(state->order.begin(), state->order.end(), state->engine);
            for (std::size_t first = 0; first + 128 <= epoch_images; first += 128) {
              state->mlp.take(&state->order[first]);
              state->mlp.step();
            }
          },
          training(mlps().at(epoch_mlp)).result};
}

/// By whole cache lines, without which these loops take up to twice the time.
using Aligned = std::vector<float, xsimd::aligned_allocator<float, 64>>;
Aligned aligned(const std::vector<float>& values) { return {values.begin(), values.end()}; }

/// Data of the elementwise workloads, with room for gradients.
struct Fields {
  Aligned x = aligned(numbers(rows * columns, 1)), a = aligned(numbers(columns, 2)), b = aligned(numbers(columns, 3)),
          w = aligned(numbers(rows * columns, 4));
  Aligned gx = Aligned(rows * columns), ga = Aligned(columns), gb = Aligned(columns);
  volatile float loss = 0;  // is computed though nobody asks
};

Implementation of(void (*f)(Fields&), bool vectors) {
  const auto fields = std::make_shared<Fields>();
  return {[=] { f(*fields); }, [=] {
            f(*fields);
            std::vector<float> result(fields->gx.begin(), fields->gx.end());
            if (vectors) {
              result.insert(result.end(), fields->ga.begin(), fields->ga.end());
              result.insert(result.end(), fields->gb.begin(), fields->gb.end());
            }
            return result;
          }};
}

void gelu(Fields& f) {
  Batch total(0.0f);
  for (std::size_t i = 0; i < f.x.size(); i += width) {
    const Batch x = load(&f.x[i]), square = x * x;
    const Batch t = xsimd::tanh(Batch(0.7978845608f) * x * (Batch(1.0f) + Batch(0.044715f) * square)), half = Batch(0.5f) * (Batch(1.0f) + t);
    total += x * half;
    const Batch slope = Batch(0.5f * 0.7978845608f) * (Batch(1.0f) - t * t) * (Batch(1.0f) + Batch(3 * 0.044715f) * square);
    (half + x * slope).store_unaligned(&f.gx[i]);
  }
  f.loss = total_of(total);
}

void gated(Fields& f) {
  Batch total(0.0f);
  std::fill(f.ga.begin(), f.ga.end(), 0.0f);
  std::fill(f.gb.begin(), f.gb.end(), 0.0f);
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t j = 0; j < columns; j += width) {
      const Batch x = load(&f.x[r * columns + j]), a = load(&f.a[j]), b = load(&f.b[j]);
      const Batch t = xsimd::tanh(x * a + b), s = Batch(1.0f) / (Batch(1.0f) + xsimd::exp(-(x * b + a)));
      total += t * s;
      const Batch gt = s * (Batch(1.0f) - t * t), gs = t * s * (Batch(1.0f) - s);
      (gt * a + gs * b).store_unaligned(&f.gx[r * columns + j]);
      (load(&f.ga[j]) + gt * x + gs).store_unaligned(&f.ga[j]);
      (load(&f.gb[j]) + gt + gs * x).store_unaligned(&f.gb[j]);
    }
  f.loss = total_of(total);
}

void normalisation(Fields& f) {
  constexpr float n = columns;
  Batch total(0.0f);
  std::fill(f.ga.begin(), f.ga.end(), 0.0f);
  std::fill(f.gb.begin(), f.gb.end(), 0.0f);
  for (std::size_t r = 0; r < rows; ++r) {
    const float *x = &f.x[r * columns], *w = &f.w[r * columns];
    Batch sum(0.0f), squares(0.0f), dots(0.0f), cotangents(0.0f);
    for (std::size_t j = 0; j < columns; j += width) sum += load(x + j);
    const Batch mean(total_of(sum) / n);
    for (std::size_t j = 0; j < columns; j += width) {
      const Batch d = load(x + j) - mean, g = load(w + j) * load(&f.a[j]);
      squares += d * d;
      dots += g * d;
      cotangents += g;
    }
    const float scale = 1 / std::sqrt(total_of(squares) / n + 1e-5f), along = total_of(dots) * scale * scale / n;
    const Batch s(scale), p(along), q(total_of(cotangents) / n);
    for (std::size_t j = 0; j < columns; j += width) {
      const Batch d = load(x + j) - mean, weight = load(w + j), a = load(&f.a[j]), y = d * s;
      total += weight * (y * a + load(&f.b[j]));
      (load(&f.ga[j]) + weight * y).store_unaligned(&f.ga[j]);
      (load(&f.gb[j]) + weight).store_unaligned(&f.gb[j]);
      (s * (weight * a - q - d * p)).store_unaligned(&f.gx[r * columns + j]);
    }
  }
  f.loss = total_of(total);
}

void variance(Fields& f) {
  constexpr float n = columns;
  float total = 0;
  for (std::size_t r = 0; r < rows; ++r) {
    const float* x = &f.x[r * columns];
    Batch sum(0.0f), squares(0.0f);
    for (std::size_t j = 0; j < columns; j += width) sum += load(x + j);
    const Batch mean(total_of(sum) / n);
    for (std::size_t j = 0; j < columns; j += width) {
      const Batch d = load(x + j) - mean;
      squares += d * d;
      (Batch(2 / n) * d).store_unaligned(&f.gx[r * columns + j]);
    }
    total += total_of(squares) / n;
  }
  f.loss = total;
}

Implementation polynomial() {
  struct State {
    Aligned x = aligned(numbers(points, 1)), y = aligned(numbers(points, 2));
    std::vector<float> c, g = std::vector<float>(6);
  };
  const auto s = std::make_shared<State>();
  for (std::uint32_t i = 0; i < 6; ++i) s->c.push_back(numbers(1, 3 + i)[0]);
  const auto run = [s] {
    Batch sums[6], c[6];
    for (std::size_t k = 0; k < 6; ++k) sums[k] = Batch(0.0f), c[k] = Batch(s->c[k]);
    for (std::size_t i = 0; i < points; i += width) {
      const Batch x = load(&s->x[i]);
      Batch p = c[5];
      for (std::size_t k = 5; k-- > 0;) p = p * x + c[k];
      Batch term = p - load(&s->y[i]);
      for (std::size_t k = 0; k < 6; ++k) sums[k] += term, term *= x;
    }
    for (std::size_t k = 0; k < 6; ++k) s->g[k] = total_of(sums[k]) * 2 / points;
  };
  return {run, [=] {
            run();
            return s->g;
          }};
}

Implementation inference() {
  const auto mlp = std::make_shared<MlpFloor>(Mlp{{784, 256, 128, 10}, 1});
  return {[mlp] { mlp->forward(); }, [mlp] {
            mlp->forward();
            return mlp->output();
          }};
}

}  // namespace

Implementations floor_workloads() {
  Implementations all;
  for (const auto& [name, mlp] : mlps()) all[name] = [mlp = mlp] { return training(mlp); };
  all["gelu from primitives, 512x1024"] = [] { return of(gelu, false); };
  all["gated activation, 512x1024"] = [] { return of(gated, true); };
  all["row variance, 512x1024"] = [] { return of(variance, false); };
  all["normalisation from primitives, 512x1024"] = [] { return of(normalisation, true); };
  all["polynomial MSE, 262144 points"] = [] { return polynomial(); };
  all["inference of one row, 784-256-128-10"] = [] { return inference(); };
  all["Fashion-MNIST epoch with its batches, Adam"] = [] { return epoch(); };
  return all;
}

}  // namespace bench
