// What the user asked for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <variant>
#include <vector>

namespace fashion_mnist {

struct Options {
  std::filesystem::path data, output = "out/fashion_mnist";
  std::int64_t epochs = 10;
  std::int64_t batch_size = 128;
  double learning_rate = 0;  ///< 0 until chosen: the optimiser's own default
  std::string optimizer = "adam";
  std::vector<std::int64_t> widths = {256, 128};
  std::string activation = "relu";
  std::uint64_t seed = 0;
  int threads = 0;
  std::int64_t limit = 0;  ///< images to use of each part; 0 for all
};

/// Reads the command line. An exit code instead of options when nothing is to be run: 0 after `--help`, 2 after bad
/// options, for which one line went to standard error.
std::variant<Options, int> parse(int argc, const char* const* argv);

}  // namespace fashion_mnist
