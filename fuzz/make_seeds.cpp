// Writes the files that the fuzz targets start from, a folder for each target: make_seeds FOLDER
#include <autodiff/autodiff.hpp>
#include <fstream>
#include <fuzz/gzip.hpp>
#include <iostream>
#include <nn/serialize/safetensors.hpp>
#include <string>
#include <vector>

using namespace xgrad;
namespace fs = std::filesystem;

namespace {

void write(const fs::path& path, const std::string& bytes) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string gzipped(const std::string& bytes) {
  const auto compressed = fuzz::gzip(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  return {compressed.begin(), compressed.end()};
}

/// Contents for a plain target and for its sibling that reads compressed files, there as a file and as contents.
void write_both(const fs::path& folder, const std::string& target, const std::vector<std::string>& contents) {
  for (std::size_t i = 0; i < contents.size(); ++i) {
    const std::string number = std::to_string(i);
    write(folder / target / number, contents[i]);
    write(folder / (target + "_gz") / (number + ".gz"), gzipped(contents[i]));
    write(folder / (target + "_gz") / number, '\0' + contents[i]);
  }
  write(folder / (target + "_gz") / "members.gz", gzipped(contents[0]) + gzipped("") + std::string(3, '\0'));
}

std::string idx(char type, std::string_view shape, std::size_t bytes) {
  std::string file{'\0', '\0', type, static_cast<char>(shape.size())};
  for (const char extent : shape) file += std::string(3, '\0') + extent;
  for (std::size_t i = 0; i < bytes; ++i) file += static_cast<char>(i);
  return file;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::cerr << "usage: make_seeds FOLDER\n";
    return 2;
  }
  const fs::path folder = arguments[1];
  fs::create_directories(folder / "safetensors");
  nn::save_safetensors(
      folder / "safetensors" / "all",
      {{"f", Tensor{{1.5f, -2.f}}}, {"d", Tensor(2.5)}, {"i", Tensor{1, 2, 3}}, {"b", Tensor{true, false}}},
      {{"key", "value"}});
  nn::save_safetensors(folder / "safetensors" / "empty", {{"e", zeros({0, 2})}});
  const std::string header =
      R"( {"__metadata__":null,"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"y":[{"z":-1e3}]}})";
  write(folder / "safetensors" / "odd", static_cast<char>(header.size()) + std::string(7, '\0') + header + "1234");

  write_both(folder, "idx",
             {idx(0x08, "\2\3", 6), idx(0x09, "\4", 4), idx(0x0B, "\2", 4), idx(0x0C, "\1\1", 4), idx(0x0D, "\2", 8),
              idx(0x0E, "\1", 8)});
  write_both(folder, "csv",
             {"a,b\n1,2.5\n-3e2,+4 \n", "\xEF\xBB\xBF\"a\"\"b\",\"c\nd\"\r\n1e-400,inf\r\n", "a\rNaN\r-nan(1)\r\r",
              "1,NA,,null\n"});
}
