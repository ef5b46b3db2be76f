// Safetensors files: their bytes and what is refused.
#include <cstring>
#include <limits>
#include <nn/nn.hpp>
#include <tests/support/files.hpp>

#include <tests/reference/reference.hpp>

using namespace xgrad;
using reference::Json;
using reference::near;
using reference::throws;
using test::make_model;
using test::read;
using test::write;
namespace fs = std::filesystem;

namespace {

using Serialize = test::FolderTest;

std::string with_length(const std::string& header, const std::string& data) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(header.size() >> (8 * i) & 255);
  return bytes + header + data;
}

std::string header_of(const std::string& bytes) {
  std::uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = length << 8 | static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]);
  return bytes.substr(8, length);
}

template <class T>
T at(const std::string& bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

void expect_same(const nn::StateDict& a, const nn::StateDict& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].first, b[i].first);
    EXPECT_TRUE(near(a[i].second, b[i].second, 0, 0));
  }
}

TEST_F(Serialize, KeepsEveryDtypeShapeAndBit) {
  const double infinity = std::numeric_limits<double>::infinity();
  const nn::NamedTensors tensors{{"b", Tensor{true, false, true}},
                                 {"f", Tensor{{1.5f, -0.0f}, {std::numeric_limits<float>::denorm_min(), 3e38f}}},
                                 {"d", Tensor{0.1, -infinity, std::nan("")}},
                                 {"i", Tensor{std::numeric_limits<std::int64_t>::min(), std::int64_t{7}}},
                                 {"scalar", Tensor(2.5)},
                                 {"empty", zeros({2, 0, 3})},
                                 {"a \"name\" ∂.0", ones({1})}};
  nn::save_safetensors(file(), tensors, {{"made by", "a test"}, {"", "é"}});
  const nn::SafetensorsFile loaded = nn::load_safetensors(file());
  EXPECT_EQ(loaded.metadata, (nn::Metadata{{"made by", "a test"}, {"", "é"}}));
  ASSERT_EQ(loaded.tensors.size(), tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const Tensor &before = tensors[i].second, &after = loaded.tensors[i].second;
    EXPECT_EQ(loaded.tensors[i].first, tensors[i].first);
    EXPECT_EQ(after.dtype(), before.dtype());
    ASSERT_EQ(after.shape(), before.shape());
    const std::size_t bytes = static_cast<std::size_t>(before.size()) * size_of(before.dtype());
    EXPECT_TRUE(bytes == 0 || std::memcmp(before.data(before.dtype()), after.data(after.dtype()), bytes) == 0)
        << tensors[i].first;
  }
}

TEST_F(Serialize, WritesTheFormatByItsRules) {
  nn::save_safetensors(
      file(), {{"mask", Tensor{true, false, true}}, {"x", Tensor{{1.0, 2.0}, {3.0, 4.0}}}, {"y", Tensor{5.0f}}},
      {{"key", "value"}});
  const std::string bytes = read(file()), text = header_of(bytes);
  EXPECT_EQ(text.front(), '{');
  EXPECT_EQ((8 + text.size()) % 8, 0u);
  const Json header = Json::parse(text);
  EXPECT_EQ(header["__metadata__"], Json({{"key", "value"}}));
  EXPECT_EQ(header["x"], Json::parse(R"({"dtype": "F64", "shape": [2, 2], "data_offsets": [0, 32]})"));
  EXPECT_EQ(header["y"], Json::parse(R"({"dtype": "F32", "shape": [1], "data_offsets": [32, 36]})"));
  EXPECT_EQ(header["mask"], Json::parse(R"({"dtype": "BOOL", "shape": [3], "data_offsets": [36, 39]})"));
  ASSERT_EQ(bytes.size(), 8 + text.size() + 39);
  EXPECT_EQ(at<double>(bytes, 8 + text.size() + 8), 2);
  EXPECT_EQ(at<float>(bytes, 8 + text.size() + 32), 5);
  EXPECT_EQ(bytes.substr(bytes.size() - 3), std::string("\1\0\1", 3));
}

TEST_F(Serialize, WritesTransposedAndUnevaluatedTensorsRowMajor) {
  const Tensor x = Tensor{{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}};
  nn::save_safetensors(file(), {{"x", transpose(x)}, {"y", broadcast_to(x * 2, {2, 2, 3})}, {"z", x.slice(1)}});
  const auto loaded = nn::load_safetensors(file()).tensors;
  EXPECT_TRUE(near(loaded[0].second, Tensor{{1.0, 4.0}, {2.0, 5.0}, {3.0, 6.0}}, 0, 0));
  EXPECT_TRUE(near(loaded[1].second, stack({2 * x, 2 * x}), 0, 0));
  EXPECT_TRUE(near(loaded[2].second, Tensor{4.0, 5.0, 6.0}, 0, 0));
}

TEST_F(Serialize, MayHoldNothing) {
  nn::save_safetensors(file(), {});
  EXPECT_TRUE(nn::load_safetensors(file()).tensors.empty());
}

TEST_F(Serialize, AModelComesBack) {
  nn::Sequential model = make_model(), other = make_model();
  nn::save(model, file(), {{"epoch", "3"}});
  other.to(DType::float64);
  nn::load(other, file());
  expect_same(other.state_dict(), model.state_dict());
  EXPECT_EQ(other.parameters()[0].dtype(), DType::float64);
  EXPECT_TRUE(other.parameters()[0].requires_grad());
  EXPECT_EQ(nn::load_safetensors(file()).metadata.at("epoch"), "3");
  EXPECT_EQ(files(), 1u);
}

TEST_F(Serialize, NotStrictTakesAPart) {
  nn::Sequential model = make_model();
  nn::save_safetensors(file(), {{"0.bias", ones({4})}, {"head.bias", ones({1})}});
  nn::load(model, file(), {.strict = false});
  EXPECT_TRUE(near(model.get<nn::Linear>(0).bias, ones({4}), 0, 0));
}

TEST_F(Serialize, RefusesAFileOfAnotherModel) {
  nn::Sequential model = make_model();
  const nn::StateDict before = model.state_dict();
  nn::save(nn::Sequential(nn::Linear(3, 4), nn::ReLU(), nn::Linear(4, 3)), file());
  EXPECT_TRUE(throws<std::runtime_error>([&] { nn::load(model, file()); },
                                         {"load", file().string(), "'2.bias'", "(3,)", "(2,)", "'2.weight'"}));
  expect_same(model.state_dict(), before);
}

TEST_F(Serialize, RefusesAFileTruncatedAnywhere) {
  nn::Sequential model = make_model();
  nn::save(model, file());
  const std::string bytes = read(file());
  nn::Sequential other = make_model();
  const nn::StateDict before = other.state_dict();
  const std::size_t data = 8 + header_of(bytes).size();
  for (std::size_t length = 0; length < bytes.size(); length += length < data + 4 ? 1 : 13) {
    write(file("part"), bytes.substr(0, length));
    ASSERT_TRUE(
        throws<std::runtime_error>([&] { nn::load(other, file("part")); }, {"load_safetensors", file("part").string()}))
        << length;
  }
  write(file("part"), bytes + '\0');
  EXPECT_TRUE(throws<std::runtime_error>([&] { nn::load(other, file("part")); }, {"1 bytes too many"}));
  expect_same(other.state_dict(), before);
}

TEST_F(Serialize, RefusesAHeaderWithAnyBitFlipped) {
  nn::Sequential model = make_model();
  nn::save(model, file());
  const std::string bytes = read(file());
  const nn::StateDict before = model.state_dict();
  for (std::size_t i = 0; i < 8 + header_of(bytes).size(); ++i) {
    std::string flipped = bytes;
    flipped[i] = static_cast<char>(flipped[i] ^ (1 << i % 7));
    write(file("flipped"), flipped);
    EXPECT_TRUE(throws<std::runtime_error>([&] { nn::load(model, file("flipped")); }, {file("flipped").string()})) << i;
  }
  expect_same(model.state_dict(), before);
}

struct Malformed {
  const char* what;
  std::string bytes;
  std::vector<std::string> parts;
};
std::ostream& operator<<(std::ostream& stream, const Malformed& malformed) { return stream << malformed.what; }

class RefusedFile : public testing::TestWithParam<Malformed> {};

TEST_P(RefusedFile, NamesTheFileAndTheReason) {
  std::string pattern = (fs::temp_directory_path() / "xgrad-XXXXXX").string();
  ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
  const fs::path path = fs::path(pattern) / "x.safetensors";
  write(path, GetParam().bytes);
  try {
    nn::load_safetensors(path);
    ADD_FAILURE() << "did not throw";
  } catch (const std::runtime_error& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find(path.string()), std::string::npos) << message;
    for (const std::string& part : GetParam().parts)
      EXPECT_NE(message.find(part), std::string::npos) << message << " lacks " << part;
  }
  fs::remove_all(pattern);
}

std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}
const std::string data(16, '\0');

/// A header whose innermost list is so many levels deep, in a key that is skipped.
std::string nested(std::size_t depth) {
  return R"({"x":{"dtype":"F32","shape":[4],"data_offsets":[0,16],"y":)" + std::string(depth - 2, '[') +
         std::string(depth - 2, ']') + "}}";
}

INSTANTIATE_TEST_SUITE_P(
    Serialize, RefusedFile,
    testing::Values(
        Malformed{"Empty", "", {"0 bytes"}}, Malformed{"NoHeader", std::string(8, '\0'), {"'{'"}},
        Malformed{"HeaderTooLong", std::string(7, '\0') + "\1" + data, {"too long"}},
        Malformed{"HeaderLongerThanTheFile", std::string("\x20\0\0\0\0\0\0\0{}", 10), {"truncated"}},
        Malformed{"NoJson", with_length("{nonsense", ""), {"no JSON"}},
        Malformed{"NotUtf8", with_length("{\"\xff\":1}", ""), {"no JSON"}},
        Malformed{"AnArray", with_length("[]", ""), {"'{'"}},
        Malformed{"MoreAfterTheObject", with_length("{}{}", ""), {"no JSON"}},
        Malformed{"ZeroByteAfterTheObject", with_length(std::string("{}\0nonsense", 11), ""), {"no JSON"}},
        Malformed{"OnlyBlanks", with_length("  \n", ""), {"'{'"}},
        Malformed{"ByteOrderMark", with_length("\xEF\xBB\xBF{}", ""), {"'{'"}},
        Malformed{"EntryIsNoObject", with_length(R"({"x":1})", ""), {"'x'", "dtype, shape and data_offsets"}},
        Malformed{"NoShape", with_length(R"({"x":{"dtype":"F32","data_offsets":[0,4]}})", data), {"'x'", "needs"}},
        Malformed{"DtypeIsNoText",
                  with_length(R"({"x":{"dtype":1,"shape":[],"data_offsets":[0,4]}})", data),
                  {"'x'", "wrong kind"}},
        Malformed{"UnknownDtype", with_length("{\"x\":" + entry("F16", "[8]", "[0,16]") + "}", data), {"'x'", "F16"}},
        Malformed{
            "ShapeIsNoList", with_length("{\"x\":" + entry("F32", "4", "[0,16]") + "}", data), {"'x'", "wrong kind"}},
        Malformed{"NegativeExtent", with_length("{\"x\":" + entry("F32", "[-4]", "[0,16]") + "}", data), {"'x'", "-4"}},
        Malformed{
            "FractionalExtent", with_length("{\"x\":" + entry("F32", "[4.0]", "[0,16]") + "}", data), {"'x'", "4.0"}},
        Malformed{"ExtentBeyondInt64",
                  with_length("{\"x\":" + entry("F32", "[18446744073709551615]", "[0,16]") + "}", data),
                  {"'x'"}},
        Malformed{"ExtentBeyondUint64",
                  with_length("{\"x\":" + entry("F32", "[18446744073709551620]", "[0,16]") + "}", data),
                  {"'x'"}},
        Malformed{"SizeOverflows",
                  with_length("{\"x\":" + entry("F32", "[4294967296,4294967296]", "[0,0]") + "}", ""),
                  {"'x'", "too large"}},
        Malformed{"EmptyButTooLarge",
                  with_length("{\"x\":" + entry("F32", "[0,4294967296,4294967296,4294967296]", "[0,0]") + "}", ""),
                  {"'x'", "too large"}},
        Malformed{"ThreeOffsets",
                  with_length("{\"x\":" + entry("F32", "[4]", "[0,8,16]") + "}", data),
                  {"'x'", "wrong kind"}},
        Malformed{"OffsetsTurnedAround",
                  with_length("{\"x\":" + entry("F32", "[4]", "[16,0]") + "}", data),
                  {"'x'", "[16,0]"}},
        Malformed{
            "NegativeOffset", with_length("{\"x\":" + entry("F32", "[4]", "[-16,0]") + "}", data), {"'x'", "-16"}},
        Malformed{"OffsetsOfAnotherSize",
                  with_length("{\"x\":" + entry("F32", "[3]", "[0,16]") + "}", data),
                  {"'x'", "(3,)", "12 bytes"}},
        Malformed{"BeyondTheEnd",
                  with_length("{\"x\":" + entry("F32", "[5]", "[0,20]") + "}", data),
                  {"truncated", "16", "20"}},
        Malformed{
            "TooManyBytes", with_length("{\"x\":" + entry("F32", "[3]", "[0,12]") + "}", data), {"4 bytes too many"}},
        Malformed{
            "StartsLate", with_length("{\"x\":" + entry("F32", "[3]", "[4,16]") + "}", data), {"'x'", "after a gap"}},
        Malformed{
            "Gap",
            with_length("{\"x\":" + entry("F32", "[1]", "[0,4]") + ",\"y\":" + entry("F32", "[2]", "[8,16]") + "}",
                        data),
            {"'y'", "after a gap"}},
        Malformed{
            "Overlap",
            with_length("{\"x\":" + entry("F32", "[3]", "[0,12]") + ",\"y\":" + entry("F32", "[2]", "[8,16]") + "}",
                        data),
            {"'y'", "inside another"}},
        Malformed{
            "SameTwice",
            with_length("{\"x\":" + entry("F32", "[4]", "[0,16]") + ",\"y\":" + entry("F32", "[4]", "[0,16]") + "}",
                        data),
            {"inside another"}},
        Malformed{
            "NameTwice",
            with_length("{\"x\":" + entry("F32", "[2]", "[0,8]") + ",\"x\":" + entry("F32", "[2]", "[8,16]") + "}",
                        data),
            {"'x' twice"}},
        Malformed{"KeyTwice",
                  with_length(R"({"x":{"dtype":"F32","dtype":"F32","shape":[4],"data_offsets":[0,16]}})", data),
                  {"'dtype' twice"}},
        Malformed{"MetadataIsNoObject", with_length(R"({"__metadata__":1})", ""), {"__metadata__"}},
        Malformed{"MetadataIsNoText", with_length(R"({"__metadata__":{"a":1}})", ""), {"__metadata__", "'a'"}},
        Malformed{"BoolIsTwo", with_length("{\"x\":" + entry("BOOL", "[2]", "[0,2]") + "}", "\1\2"), {"'x'", "BOOL"}},
        Malformed{
            "MetadataTwice", with_length(R"({"__metadata__":null,"__metadata__":{}})", ""), {"'__metadata__' twice"}},
        Malformed{"MetadataKeyTwice", with_length(R"({"__metadata__":{"a":"1","a":"2"}})", ""), {"'a' twice"}},
        Malformed{"MetadataIsNested", with_length(R"({"__metadata__":{"a":{}}})", ""), {"__metadata__", "'a'"}},
        Malformed{
            "ListInAShape", with_length("{\"x\":" + entry("F32", "[[4]]", "[0,16]") + "}", data), {"'x'", "a list"}},
        Malformed{"TensorIsNull", with_length(R"({"x":null})", ""), {"'x'", "needs"}},
        Malformed{"NestedDeeperThanTheLimit", with_length(nested(65), data), {"nests deeper than 64 levels"}}),
    [](const auto& info) { return info.param.what; });

TEST_F(Serialize, TakesTensorsInAnyOrderAndPaddedHeaders) {
  write(file(), with_length("{\"y\":" + entry("F32", "[1]", "[12,16]") + ",\"e\":" + entry("I64", "[0]", "[12,12]") +
                                ",\"x\":" + entry("F32", "[3]", "[0,12]") + "}      ",
                            data));
  const auto tensors = nn::load_safetensors(file()).tensors;
  ASSERT_EQ(tensors.size(), 3u);
  EXPECT_EQ(tensors[0].first, "y");
  EXPECT_TRUE(near(tensors[2].second, zeros({3}), 0, 0));
}

TEST_F(Serialize, ReadsWhatTheReferenceImplementationReads) {
  const auto values = [&](const std::string& header) {
    write(file(), with_length(header, data));
    return nn::load_safetensors(file()).tensors.at(0).second;
  };
  const std::string x = entry("F32", "[4]", "[0,16]");
  EXPECT_TRUE(near(values(" \r\n\t{\"x\":" + x + "}\n"), zeros({4}), 0, 0));
  EXPECT_TRUE(near(values("{\"__metadata__\":null,\"x\":" + x + "}"), zeros({4}), 0, 0));
  EXPECT_TRUE(
      near(values(R"({"x":{"a":1,"dtype":"F32","b":[{"dtype":-1.5}],"shape":[4],"c":null,"data_offsets":[0,16],)"
                  R"("d":{"shape":["t",true]},"d":18446744073709551615}})"),
           zeros({4}), 0, 0));
  EXPECT_TRUE(near(values(nested(64)), zeros({4}), 0, 0));
}

TEST_F(Serialize, LongShapesAndManyTensorsAreReadAndWritten) {
  const std::size_t axes = 16000;
  std::string shape = "[4";
  for (std::size_t i = 1; i < axes; ++i) shape += ",1";
  write(file(), with_length("{\"x\":" + entry("F32", shape + "]", "[0,16]") + "}", data));
  EXPECT_EQ(nn::load_safetensors(file()).tensors[0].second.shape().size(), axes);
  write(file(), with_length("{\"x\":" + entry("F32", shape + "]", "[0,12]") + "}", data));
  EXPECT_TRUE(
      throws<std::runtime_error>([&] { nn::load_safetensors(file()); }, {"16000 extents", "takes 16 bytes", "[0,12]"}));

  nn::NamedTensors tensors;
  const Tensor value = ones({1});
  for (int i = 0; i < 30000; ++i) tensors.emplace_back("layers." + std::to_string(i) + ".weight", value);
  nn::save_safetensors(file(), tensors);
  const auto loaded = nn::load_safetensors(file()).tensors;
  ASSERT_EQ(loaded.size(), tensors.size());
  EXPECT_EQ(loaded[23456].first, tensors[23456].first);
  EXPECT_EQ(loaded.back().second.item(), 1);
}

TEST_F(Serialize, AMessageQuotesWhatIsLongOnlyInPart) {
  const std::string name = std::string(5000, 'n') + "\\n";
  write(file(), with_length("{\"" + name + "\":" + entry("F32", "[3]", "[0,16]") + "}", data));
  try {
    nn::load_safetensors(file());
    ADD_FAILURE() << "did not throw";
  } catch (const std::runtime_error& error) {
    EXPECT_LT(std::string(error.what()).size(), 500u);
    EXPECT_NE(std::string(error.what()).find("nnn… (5001 bytes)"), std::string::npos) << error.what();
  }
}

TEST_F(Serialize, SaysWhichFileCannotBeRead) {
  EXPECT_TRUE(throws<std::runtime_error>([&] { nn::load_safetensors(file("absent")); },
                                         {"load_safetensors", file("absent").string(), "No such file"}));
  EXPECT_TRUE(throws<std::runtime_error>([&] { nn::load_safetensors(folder); },
                                         {"load_safetensors", folder.string(), "no regular file"}));
}

}  // namespace
