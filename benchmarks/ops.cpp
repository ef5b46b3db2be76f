// Every row of the tests' catalogue of ops, forward and with its gradient, and the parts of the engine, under Google Benchmark:
//
//     cmake --build --preset release --target benchmark_ops && build/release/benchmarks/benchmark_ops --benchmark_filter=softmax
#include <benchmark/benchmark.h>

#include <algorithm>
#include <autodiff/core/buffer.hpp>
#include <tests/catalogue/catalogue.hpp>

using namespace xgrad;

namespace {

/// The row's largest shapes, in float32.
std::vector<Tensor> inputs_of(const catalogue::Row& row) {
  const auto largest = std::max_element(row.shapes.begin(), row.shapes.end(), [](const auto& a, const auto& b) { return size_of(a[0]) < size_of(b[0]); });
  return catalogue::draw(row, *largest, 1, DType::float32);
}

void forward(benchmark::State& state, const catalogue::Row& row) {
  const std::vector<Tensor> inputs = inputs_of(row);
  for (auto _ : state) row.apply(inputs).evaluate();
}

void backward(benchmark::State& state, const catalogue::Row& row) {
  std::vector<Tensor> inputs = inputs_of(row);
  for (Tensor& input : inputs) input.set_requires_grad();
  for (auto _ : state) {
    for (Tensor& input : inputs) input.zero_grad();
    const Tensor loss = sum(row.apply(inputs));
    loss.backward();
  }
}

// ---- parts of the engine ----

void record(benchmark::State& state) {
  const Tensor x = ones({16}).set_requires_grad();
  for (auto _ : state) {
    Tensor y = x;
    for (int i = 0; i < 1000; ++i) y = y * x;
    benchmark::DoNotOptimize(y.node());
  }
  state.SetItemsProcessed(state.iterations() * 1000);
}

/// A chain of so many nodes, recorded, differentiated and let go: the time of one should not depend on how many there are.
void replay(benchmark::State& state) {
  Tensor x = ones({}).set_requires_grad();
  for (auto _ : state) {
    Tensor y = x;
    for (std::int64_t i = 0; i < state.range(0); i += 4) y = tanh(y * 0.5 + 0.25) - y;
    x.zero_grad();
    y.backward();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void allocate(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(detail::Buffer::allocate(static_cast<std::size_t>(state.range(0))));
}

/// The bytes of a pass over memory: y = a·x + b.
void stream(benchmark::State& state) {
  const Tensor x = ones({state.range(0)}) * 1, a = ones({state.range(0)}) * 2;
  evaluate(std::vector<Tensor>{x, a});
  for (auto _ : state) (a * x + 1).evaluate();
  state.SetBytesProcessed(state.iterations() * state.range(0) * 12);
}

}  // namespace

int main(int argc, char** argv) {
  set_num_threads(1);
  for (const catalogue::Row& row : catalogue::rows()) {
    benchmark::RegisterBenchmark((row.name + "/forward").c_str(), [&row](benchmark::State& state) { forward(state, row); });
    if (row.orders > 0) benchmark::RegisterBenchmark((row.name + "/backward").c_str(), [&row](benchmark::State& state) { backward(state, row); });
  }
  benchmark::RegisterBenchmark("engine/record", record);
  benchmark::RegisterBenchmark("engine/replay", replay)->RangeMultiplier(10)->Range(1000, 1000000);
  benchmark::RegisterBenchmark("engine/allocate", allocate)->Range(64, 1 << 24);
  benchmark::RegisterBenchmark("engine/stream", stream)->Range(1 << 10, 1 << 24);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
