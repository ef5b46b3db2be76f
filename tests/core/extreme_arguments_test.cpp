// Every whole number that a public function takes, at its ends: a clear error, or a right result at once. With UBSan this shows
// arithmetic on sizes that overflows.
#include <autodiff/autodiff.hpp>
#include <functional>
#include <limits>
#include <new>
#include <nn/nn.hpp>
#include <tests/support/throws.hpp>
#include <tests/support/values.hpp>

using namespace xgrad;
using namespace xgrad::test;

// An allocation that cannot be is to fail, as without AddressSanitizer.
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }

namespace {

constexpr std::int64_t lowest = std::numeric_limits<std::int64_t>::min(), highest = std::numeric_limits<std::int64_t>::max();
/// No address space has room for as many elements.
constexpr std::int64_t huge = std::int64_t{1} << 58;
constexpr std::int64_t extremes[] = {lowest, lowest + 1, -huge, -1, 0, 1, huge, highest - 1, highest};

struct Case {
  std::string function;  ///< with which its errors begin
  std::function<Tensor(std::int64_t)> call;
};

/// Computes a tensor; one too large for memory is not asked for.
void compute(const Tensor& y) {
  ASSERT_GE(y.size(), 0);
  if (y.size() > (1 << 20)) return;
  EXPECT_NE(to_string(y), "");
}

void check(const std::vector<Case>& cases) {
  for (const auto& [function, call] : cases)
    for (const std::int64_t n : extremes) {
      SCOPED_TRACE(function + " of " + std::to_string(n));
      try {
        compute(call(n));
      } catch (const std::bad_alloc&) {  // names nothing, and changes nothing
      } catch (const std::length_error& error) {
        ADD_FAILURE() << "a container was asked for too much: " << error.what();
      } catch (const std::exception& error) {
        EXPECT_EQ(std::string(error.what()).find(function), 0u) << error.what();
      }
    }
}

Tensor first(const std::vector<Tensor>& all) { return all.empty() ? Tensor(0.0) : all.front(); }
Tensor nothing() { return Tensor(0.0); }

TEST(ExtremeArguments, OfFunctionsThatCreate) {
  Generator generator(1);
  check({
      {"zeros", [](std::int64_t n) { return zeros({n}); }},
      {"zeros", [](std::int64_t n) { return zeros({n, n}); }},
      {"zeros", [](std::int64_t n) { return zeros({0, n, n}); }},
      {"ones", [](std::int64_t n) { return ones({2, n}, DType::bool_); }},
      {"full", [](std::int64_t n) { return full({n, 2, n}, 1); }},
      {"full", [](std::int64_t n) { return full({2}, static_cast<double>(n), DType::int64); }},
      {"arange", [](std::int64_t n) { return arange(0, static_cast<double>(n)); }},
      {"arange", [](std::int64_t n) { return arange(static_cast<double>(n), 1, 1, DType::int64); }},
      {"arange", [](std::int64_t n) { return arange(0, 4, static_cast<double>(n)); }},
      {"linspace", [](std::int64_t n) { return linspace(0, 1, n); }},
      {"eye", [](std::int64_t n) { return eye(n); }},
      {"uniform", [&](std::int64_t n) { return generator.uniform({n, n}); }},
      {"normal", [&](std::int64_t n) { return generator.normal({n}); }},
      {"integers", [&](std::int64_t n) { return generator.integers({2}, n, 1); }},
      {"integers", [&](std::int64_t n) { return generator.integers({2}, lowest, n); }},
      {"integers", [&](std::int64_t n) { return generator.integers({n, 2}, 0, 1); }},
      {"permutation", [&](std::int64_t n) { return generator.permutation(n); }},
      {"one_hot", [](std::int64_t n) { return one_hot(Tensor{0, 0}, n); }},
      {"one_hot", [](std::int64_t n) { return one_hot(zeros({0}, DType::int64), n); }},
      {"one_hot", [](std::int64_t n) { return one_hot(Tensor{n}, 3); }},
  });
}

TEST(ExtremeArguments, OfFunctionsOfShapes) {
  const Tensor x = numbered({2, 3}), empty = zeros({0, 3}), vector = numbered({3});
  check({
      {"reshape", [=](std::int64_t n) { return reshape(x, {n, 3}); }},
      {"reshape", [=](std::int64_t n) { return reshape(empty, {n, 0}); }},
      {"reshape", [=](std::int64_t n) { return reshape(x, {n, n}); }},
      {"broadcast_to", [=](std::int64_t n) { return broadcast_to(x, {n, 2, 3}); }},
      {"broadcast_to", [=](std::int64_t n) { return broadcast_to(empty, {n, n, 0, 3}); }},
      {"transpose", [=](std::int64_t n) { return transpose(x, {n, 0}); }},
      {"squeeze", [=](std::int64_t n) { return squeeze(x, n); }},
      {"expand_dims", [=](std::int64_t n) { return expand_dims(x, n); }},
      {"flatten", [=](std::int64_t n) { return flatten(x, n); }},
      {"flatten", [](std::int64_t n) { return flatten(Tensor(1.0), n); }},
      {"shape", [=](std::int64_t n) { return Tensor(x.shape(n)); }},
      {"flip", [=](std::int64_t n) { return flip(x, n); }},
      {"roll", [=](std::int64_t n) { return roll(x, n); }},
      {"roll", [=](std::int64_t n) { return roll(x, n, 1); }},
      {"roll", [=](std::int64_t n) { return roll(x, 1, n); }},
      {"repeat", [=](std::int64_t n) { return repeat(x, n, 0); }},
      {"repeat", [=](std::int64_t n) { return repeat(empty, n, 1); }},
      {"repeat", [=](std::int64_t n) { return repeat(x, 2, n); }},
      {"tile", [=](std::int64_t n) { return tile(x, {n}); }},
      {"tile", [=](std::int64_t n) { return tile(x, {n, n, n}); }},
      {"tile", [=](std::int64_t n) { return tile(empty, {n, n}); }},
      {"moveaxis", [=](std::int64_t n) { return moveaxis(x, n, 0); }},
      {"moveaxis", [=](std::int64_t n) { return moveaxis(x, 0, n); }},
      {"swapaxes", [=](std::int64_t n) { return swapaxes(x, n, 0); }},
      {"split", [=](std::int64_t n) { return first(split(x, n, 0)); }},
      {"split", [=](std::int64_t n) { return first(split(empty, n, 0)); }},
      {"split", [=](std::int64_t n) { return first(split(x, 1, n)); }},
      {"split", [=](std::int64_t n) { return split(x, std::vector<std::int64_t>{n, 1}, 0).back(); }},
      {"pad", [=](std::int64_t n) { return pad(x, {{n, 0}}); }},
      {"pad", [=](std::int64_t n) { return pad(x, {{n, n}, {n, n}}); }},
      {"pad", [=](std::int64_t n) { return pad(x, {{n, n}}, PadMode::reflect); }},
      {"pad", [=](std::int64_t n) { return pad(empty, {{n, n}, {0, 0}}, PadMode::edge); }},
      {"diagonal", [=](std::int64_t n) { return diagonal(x, n); }},
      {"diagonal", [=](std::int64_t n) { return diagonal(x, 0, n, 1); }},
      {"trace", [=](std::int64_t n) { return trace(x, n); }},
      {"diag", [=](std::int64_t n) { return diag(vector, n); }},
      {"diag", [=](std::int64_t n) { return diag(zeros({0}), n); }},
      {"tril", [=](std::int64_t n) { return tril(x, n); }},
      {"triu", [=](std::int64_t n) { return triu(x, n); }},
      {"concatenate", [=](std::int64_t n) { return concatenate({x, x}, n); }},
      {"stack", [=](std::int64_t n) { return stack({x, x}, n); }},
  });
}

TEST(ExtremeArguments, OfIndicesAndSlices) {
  const Tensor x = numbered({2, 3}), empty = zeros({0, 3});
  check({
      {"slice", [=](std::int64_t n) { return x.slice(n); }},
      {"slice", [=](std::int64_t n) { return x.slice(xt::range(n, 2)); }},
      {"slice", [=](std::int64_t n) { return x.slice(xt::range(0, n)); }},
      {"slice", [=](std::int64_t n) { return x.slice(xt::range(n, n, n)); }},
      {"slice", [=](std::int64_t n) { return x.slice(xt::range(lowest, highest, n)); }},
      {"slice", [=](std::int64_t n) { return x.slice(xt::range(highest, lowest, n)); }},
      {"slice", [=](std::int64_t n) { return x.slice(xt::range(xt::placeholders::_, xt::placeholders::_, n)); }},
      {"slice", [=](std::int64_t n) { return empty.slice(xt::range(n, highest, n)); }},
      {"slice", [=](std::int64_t n) { return x.at(n).set(1); }},
      {"slice", [=](std::int64_t n) { return x.at(xt::range(n, 2, n)).add(1); }},
      {"at", [=](std::int64_t n) { return x.at(Tensor{n}).set(1); }},
      {"index_add", [=](std::int64_t n) { return x.at(Tensor{n}).add(1); }},
      {"take", [=](std::int64_t n) { return take(x, Tensor{n}); }},
      {"take", [=](std::int64_t n) { return take(x, Tensor{0}, n); }},
      {"take_along_axis", [=](std::int64_t n) { return take_along_axis(x, Tensor{{n}}, 1); }},
      {"take_along_axis", [=](std::int64_t n) { return take_along_axis(x, Tensor{{0}}, n); }},
      {"index_add", [=](std::int64_t n) { return index_add(x, Tensor{n}, ones({1, 3}), 0); }},
      {"index_add", [=](std::int64_t n) { return index_add(x, Tensor{0}, ones({1, 3}), n); }},
      {"scatter_add", [=](std::int64_t n) { return scatter_add(x, Tensor{{n, std::int64_t{0}, std::int64_t{0}}}, ones({1, 3}), 0); }},
      {"scatter_add", [=](std::int64_t n) { return scatter_add(x, Tensor{{0, 0, 0}}, ones({1, 3}), n); }},
      {"topk", [=](std::int64_t n) { return topk(x, n).first; }},
      {"topk", [=](std::int64_t n) { return topk(x, 1, n).second; }},
      {"sort", [=](std::int64_t n) { return sort(x, n); }},
      {"argsort", [=](std::int64_t n) { return argsort(x, n); }},
      {"searchsorted", [](std::int64_t n) { return searchsorted(Tensor{lowest, std::int64_t{0}, highest}, Tensor{n}); }},
  });
}

TEST(ExtremeArguments, OfReductionsAndScans) {
  const Tensor x = numbered({2, 3});
  std::vector<Case> cases = {
      {"median", [=](std::int64_t n) { return median(x, n); }},
      {"var", [=](std::int64_t n) { return var(x, 0, static_cast<double>(n)); }},
      {"stddev", [=](std::int64_t n) { return stddev(x, {}, static_cast<double>(n)); }},
      {"norm", [=](std::int64_t n) { return norm(x, static_cast<double>(n)); }},
      {"norm", [=](std::int64_t n) { return norm(x, 2, Axes{0, n}); }},
      {"argmax", [=](std::int64_t n) { return argmax(x, n); }},
      {"argmin", [=](std::int64_t n) { return argmin(x, n, true); }},
      {"softmax", [=](std::int64_t n) { return softmax(x, n); }},
      {"log_softmax", [=](std::int64_t n) { return log_softmax(x, n); }},
      {"cumsum", [=](std::int64_t n) { return cumsum(x, n); }},
      {"cumprod", [=](std::int64_t n) { return cumprod(x, n); }},
      {"logcumsumexp", [=](std::int64_t n) { return logcumsumexp(x, n); }},
  };
  using Reduce = Tensor (*)(const Located&, const Axes&, bool);
  for (const auto& [name, reduce] : std::vector<std::pair<std::string, Reduce>>{
           {"sum", sum}, {"mean", mean}, {"max", max}, {"min", min}, {"prod", prod}, {"logsumexp", logsumexp}})
    cases.push_back({name, [=](std::int64_t n) { return reduce(x, n, false); }});
  check(cases);
}

TEST(ExtremeArguments, OfProductsAndTransforms) {
  const Tensor x = numbered({2, 3}), square = numbered({2, 2}) + eye(2, DType::float64);
  check({
      {"tensordot", [=](std::int64_t n) { return tensordot(x, x, n); }},
      {"tensordot", [=](std::int64_t n) { return tensordot(x, x, {n}, {n}); }},
      {"matrix_power", [=](std::int64_t n) { return matrix_power(square, n); }},
      {"rfft", [=](std::int64_t n) { return rfft(x, n); }},
      {"irfft", [=](std::int64_t n) { return irfft(numbered({2, 2}), n); }},
      {"irfft", [=](std::int64_t n) { return irfft(numbered({2, 2}), 2, n); }},
      {"fft", [=](std::int64_t n) { return fft(numbered({3, 2}), n); }},
      {"ifft", [=](std::int64_t n) { return ifft(numbered({3, 2}), n); }},
      {"polygamma", [=](std::int64_t n) { return polygamma(n, x); }},
  });
}

/// Each option of windows at `n`, alone and together.
template <class Options, class F>
std::vector<Case> windowed(const std::string& name, const F& f) {
  std::vector<Case> cases;
  const auto add = [&](const std::function<void(Options&, std::int64_t)>& change) {
    cases.push_back({name, [=](std::int64_t n) {
                       Options options;
                       change(options, n);
                       return f(options);
                     }});
  };
  add([](Options& o, std::int64_t n) { o.stride = n; });
  add([](Options& o, std::int64_t n) { o.padding = n; });
  add([](Options& o, std::int64_t n) { o.padding = {0, n}; });
  add([](Options& o, std::int64_t n) { o.dilation = n; });
  add([](Options& o, std::int64_t n) { o.padding = {1, 1}, o.stride = n; });
  add([](Options& o, std::int64_t n) { o.padding = n, o.stride = n; });
  add([](Options& o, std::int64_t n) { o.padding = n, o.stride = n, o.dilation = n; });
  if constexpr (requires(Options o) { o.groups; }) {
    add([](Options& o, std::int64_t n) { o.groups = n; });
    add([](Options& o, std::int64_t n) { o.output_padding = n; });
    add([](Options& o, std::int64_t n) { o.output_padding = n, o.stride = n; });
    add([](Options& o, std::int64_t n) { o.output_padding = n, o.dilation = n, o.padding = n; });
  }
  return cases;
}

TEST(ExtremeArguments, OfWindows) {
  // Ordinary images, an empty batch, no channels; and the same of signals.
  for (const auto& [images, channels] : std::vector<std::pair<std::int64_t, std::int64_t>>{{1, 2}, {0, 2}, {1, 0}}) {
    SCOPED_TRACE(std::to_string(images) + " images of " + std::to_string(channels) + " channels");
    const Tensor x = ones({images, channels, 4, 4}), w = ones({channels, channels, 2, 2}), s = ones({images, channels, 4}), v = ones({channels, channels, 2});
    check(windowed<ConvOptions>("conv2d", [=](const ConvOptions& o) { return conv2d(x, w, {}, o); }));
    check(windowed<ConvOptions>("conv1d", [=](const ConvOptions& o) { return conv1d(s, v, {}, o); }));
    check(windowed<ConvOptions>("conv_transpose2d", [=](const ConvOptions& o) { return conv_transpose2d(x, w, {}, o); }));
    check(windowed<ConvOptions>("conv_transpose1d", [=](const ConvOptions& o) { return conv_transpose1d(s, v, {}, o); }));
    check(windowed<WindowOptions>("unfold", [=](const WindowOptions& o) { return unfold(x, 2, o); }));
    check(windowed<WindowOptions>("fold", [=](const WindowOptions& o) { return fold(ones({images, 4 * channels, 9}), 4, 2, o); }));
    check(windowed<WindowOptions>("max_pool2d", [=](const WindowOptions& o) { return max_pool2d(x, 2, o); }));
    check(windowed<WindowOptions>("avg_pool2d", [=](const WindowOptions& o) { return avg_pool2d(x, 2, o, false); }));
    check(windowed<WindowOptions>("max_pool1d", [=](const WindowOptions& o) { return max_pool1d(s, 2, o); }));
    check(windowed<WindowOptions>("avg_pool1d", [=](const WindowOptions& o) { return avg_pool1d(s, 2, o); }));
    check({
        {"unfold", [=](std::int64_t n) { return unfold(x, n); }},
        {"unfold", [=](std::int64_t n) { return unfold(x, n, {.padding = highest / 4}); }},
        {"fold", [=](std::int64_t n) { return fold(ones({images, 4 * channels, 9}), n, 2); }},
        {"fold", [=](std::int64_t n) { return fold(ones({images, 4 * channels, 9}), 4, n); }},
        {"max_pool2d", [=](std::int64_t n) { return max_pool2d(x, n); }},
        {"max_pool2d", [=](std::int64_t n) { return max_pool2d(x, {1, n}, {.stride = 1, .padding = {0, n / 2}}); }},
        {"avg_pool2d", [=](std::int64_t n) { return avg_pool2d(x, n); }},
        {"max_pool1d", [=](std::int64_t n) { return max_pool1d(s, n); }},
        {"avg_pool1d", [=](std::int64_t n) { return avg_pool1d(s, n); }},
    });
  }
}

TEST(ExtremeArguments, OfNetworks) {
  nn::Linear layer(2, 2);
  nn::SGD optimizer(layer.parameters(), {.learning_rate = 0.1});
  const nn::Dataset data(numbered({3, 2}), numbered({3}));
  check({
      {"Linear", [](std::int64_t n) { return nn::Linear(n, 1).weight; }},
      {"Linear", [](std::int64_t n) { return nn::Linear(1, n).weight; }},
      {"Linear", [](std::int64_t n) { return nn::Linear(n, n).weight; }},
      {"DataLoader", [=](std::int64_t n) {
         nn::DataLoader loader(data, {.batch_size = n, .shuffle = true});
         std::int64_t rows = 0;
         for (const nn::Dataset& batch : loader) rows += batch.size();
         EXPECT_EQ(rows, 3);
         return Tensor(loader.size());
       }},
      {"DataLoader", [=](std::int64_t n) {
         nn::DataLoader loader(data);
         loader.set_epoch(n);
         for (const nn::Dataset& batch : loader) EXPECT_EQ(batch.size(), 3);
         return Tensor(loader.epoch());
       }},
      {"Dataset::slice", [=](std::int64_t n) { return data.slice(n, n).inputs; }},
      {"Dataset::slice", [=](std::int64_t n) { return data.slice(0, n).inputs; }},
      {"StepLR", [&](std::int64_t n) { return nn::StepLR(optimizer, n).step(), nothing(); }},
      {"CosineAnnealingLR", [&](std::int64_t n) { return nn::CosineAnnealingLR(optimizer, n).step(), nothing(); }},
      {"OneCycleLR", [&](std::int64_t n) { return nn::OneCycleLR(optimizer, 0.1, n).step(), nothing(); }},
      {"softmax", [](std::int64_t n) { return nn::Softmax(n)(numbered({2, 2})); }},
      {"log_softmax", [](std::int64_t n) { return nn::LogSoftmax(n)(numbered({2, 2})); }},
      {"cross_entropy", [](std::int64_t n) { return nn::cross_entropy(numbered({2, 2}), Tensor{n, n}); }},
  });
  for (const int threads : {std::numeric_limits<int>::min(), -1, 0, std::numeric_limits<int>::max()})
    EXPECT_TRUE(throws<std::invalid_argument>([=] { set_num_threads(threads); }, {"set_num_threads", std::to_string(threads)}));
}

// ---- results too large ----

TEST(LargeResults, AreRefusedWhereTheyAreAskedFor) {
  const std::int64_t h = std::int64_t{1} << 32;
  const Tensor one(1.0f), row = broadcast_to(one, {1, h}), column = broadcast_to(one, {h, 1}), v = broadcast_to(one, {h});
  const auto refused = [](const char* function, const std::function<Tensor()>& f) {
    EXPECT_TRUE(throws<std::invalid_argument>([&] { f(); }, {function, "4294967296", "too many elements"}));
  };
  refused("add:", [&] { return column + row; });
  refused("equal:", [&] { return column == row; });
  refused("where:", [&] { return where(broadcast_to(Tensor(true), {h, 1}), row, 0); });
  refused("clip:", [&] { return clip(column, row, 2); });
  refused("matmul:", [&] { return matmul(column, row); });
  refused("outer:", [&] { return outer(v, v); });
  refused("kron:", [&] { return kron(column, row); });
  refused("einsum:", [&] { return einsum("i,j->ij", {v, v}); });
  refused("tensordot:", [&] { return tensordot(v, v, 0); });
  refused("masked_select:", [&] { return masked_select(column, broadcast_to(Tensor(true), {1, h})); });
  refused("zeros:", [&] { return zeros({0, h, h}); });
  refused("Tensor:", [&] { return Tensor(xt::broadcast(xt::xarray<float>{1}, {std::size_t{1} << 32, std::size_t{1} << 32})); });
}

TEST(LargeResults, ThatNoMemoryHoldsAreNotComputed) {
  const Tensor x = zeros({huge});
  EXPECT_EQ(x.size(), huge);
  EXPECT_THROW((x + 1).evaluate(), std::bad_alloc);
  EXPECT_THROW(x.data<float>(), std::bad_alloc);
  EXPECT_THROW(jit([](const Tensor& t) { return exp(broadcast_to(t, {huge})) * cumsum(broadcast_to(t, {huge}), 0); })(Tensor(1.0f)).evaluate(), std::bad_alloc);
}

// ---- arithmetic on whole numbers ----

TEST(WholeNumbers, WrapAsNumPysDo) {
  const Tensor low(lowest), high(highest), vector{lowest, highest, std::int64_t{-1}};
  const auto is = [](const Tensor& y, std::int64_t value) { EXPECT_EQ(y.item<std::int64_t>(), value) << y; };
  is(high + 1, lowest);
  is(low - 1, highest);
  is(1 - low, lowest + 1);
  is(high * 2, -2);
  is(low * -1, lowest);
  is(-low, lowest);
  is(abs(low), lowest);
  is(square(low), 0);
  is(power(high, 2), 1);
  is(remainder(low, -1), 0);
  is(fmod(low, -1), 0);
  is(relu(low), 0);
  is(sign(low), -1);
  is(clip(low, -1, 1), -1);
  is(floor(low), lowest);
  is(ceil(low), lowest);
  is(round(low), lowest);
  is(trunc(low), lowest);
  is(sum(vector), -2);
  is(sum(vector * 2 - 1), -7);
  is(prod(vector.slice(xt::range(0, 2))), lowest);
  is(cumsum(Tensor{highest, std::int64_t{1}}, 0).slice(1), lowest);
  is(cumprod(Tensor{highest, std::int64_t{2}}, 0).slice(1), -2);
  is(dot(vector, vector), 2);
  is(matmul(reshape(vector, {1, 3}), vector).slice(0), 2);
  is(einsum("i,i->", {vector, vector}), 2);
  is(trace(Tensor{{highest, std::int64_t{0}}, {std::int64_t{0}, std::int64_t{1}}}), lowest);
  is(index_add(Tensor{highest}, Tensor{0}, Tensor{1}).slice(0), lowest);
  is(scatter_add(Tensor{highest}, Tensor{0}, Tensor{1}).slice(0), lowest);
  const Tensor columns = reshape(Tensor{std::int64_t{0}, highest, std::int64_t{1}, std::int64_t{0}}, {1, 2, 2});
  is(fold(columns, {1, 3}, {1, 2}).slice(0, 0, 0, 1), lowest);
  is(Tensor(std::numeric_limits<double>::quiet_NaN()).to(DType::int64), lowest);
  EXPECT_EQ(Tensor(1e30).item<std::int64_t>(), lowest);
  is(Tensor{std::int64_t{1}}.at(0).set(1e30).slice(0), lowest);
}

}  // namespace
