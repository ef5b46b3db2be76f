// Files of tests of readers, plain and gzipped, and what is said of them.
#pragma once

#include <zlib.h>

#include <string>
#include <tests/support/files.hpp>
#include <vector>

namespace xgrad::test {

/// Writes files into the folder of a test.
class DataTest : public FolderTest {
 protected:
  std::filesystem::path write(const std::string& name, const std::string& bytes) const {
    test::write(file(name), bytes);
    return file(name);
  }
  std::filesystem::path write_gz(const std::string& name, const std::string& bytes) const {
    gzFile stream = gzopen(file(name).c_str(), "wb");
    gzwrite(stream, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(stream);
    return file(name);
  }
};

template <class T>
std::vector<T> values(const Tensor& x) {
  const auto array = x.array<T>();
  return {array.begin(), array.end()};
}

/// What `f` throws, which must be an `Error`.
template <class Error, class F>
std::string message(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  } catch (const std::exception& error) {
    return std::string("another kind of exception: ") + error.what();
  }
  return "nothing thrown";
}

inline testing::AssertionResult contains(const std::string& text, const std::vector<std::string>& parts) {
  for (const auto& part : parts)
    if (text.find(part) == text.npos)
      return testing::AssertionFailure() << "\"" << text << "\" lacks \"" << part << "\"";
  return testing::AssertionSuccess();
}

}  // namespace xgrad::test
