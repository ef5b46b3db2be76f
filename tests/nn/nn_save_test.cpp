// Saving: files change whole or not at all, stay as private as they were, and nothing is left beside them.
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>
#include <nn/nn.hpp>
#include <nn/serialize/atomic_file.hpp>
#include <tests/support/files.hpp>
#include <tests/support/throws.hpp>
#include <thread>

using namespace xgrad;
using test::make_model;
using test::read;
using test::throws;
using test::write;
namespace fs = std::filesystem;

namespace {

using Save = test::FolderTest;

TEST_F(Save, SavingReplacesTheFileAndLeavesNothingBeside) {
  write(file(), "old");
  nn::save(make_model(), file());
  EXPECT_EQ(nn::load_safetensors(file()).tensors.size(), 4u);
  EXPECT_EQ(files(), 1u);
}

TEST_F(Save, AFailedSaveKeepsTheOldFileAndLeavesNothingBeside) {
  write(file(), "old");
  EXPECT_TRUE(throws<std::invalid_argument>(
      [&] {
        nn::save_safetensors(file(), {{"x", ones({1})}, {"x", ones({1})}});
      },
      {"save_safetensors", "'x'"}));
  EXPECT_TRUE(throws<std::invalid_argument>(
      [&] {
        nn::save_safetensors(file(), {{"__metadata__", ones({1})}});
      },
      {"'__metadata__'"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { nn::save_safetensors(file(), {{"\xff", ones({1})}}); }, {"UTF-8"}));
  EXPECT_TRUE(throws<std::invalid_argument>([&] { nn::save_safetensors(file(), {}, {{"a", "\xff"}}); }, {"UTF-8"}));
  EXPECT_TRUE(throws<std::logic_error>([&] { nn::save_safetensors(file(), {{"x", Tensor()}}); }, {"save_safetensors"}));
  EXPECT_EQ(read(file()), "old");
  EXPECT_EQ(files(), 1u);
}

TEST_F(Save, AFileThatCannotBeRenamedLeavesNothingBeside) {
  fs::create_directories(file("folder") / "full");
  EXPECT_TRUE(throws<std::runtime_error>([&] { nn::save(make_model(), file("folder")); },
                                         {"save_safetensors", file("folder").string()}));
  EXPECT_EQ(files(), 1u);
  EXPECT_TRUE(throws<std::runtime_error>([&] { nn::save(make_model(), file("absent") / "x"); },
                                         {"save_safetensors", "No such file"}));
  EXPECT_TRUE(throws<std::runtime_error>([&] { nn::save(make_model(), folder / ""); }, {"save_safetensors"}));
  EXPECT_EQ(files(), 1u);
}

TEST_F(Save, AFullDiskKeepsTheOldFile) {
  // A limit on the size of files stands for the full disk.
  write(file(), "old");
  rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1000, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto result = throws<std::runtime_error>(
      [&] {
        nn::save_safetensors(file(), {{"x", zeros({1000})}});
      },
      {"save_safetensors", file().string()});
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_TRUE(result);
  EXPECT_EQ(read(file()), "old");
  EXPECT_EQ(files(), 1u);
}

TEST_F(Save, NewFilesHaveTheUsualPermissions) {
  const mode_t mask = ::umask(022);
  nn::save(make_model(), file());
  ::umask(mask);
  EXPECT_EQ(fs::status(file()).permissions(), fs::perms(0644));
}

TEST_F(Save, AFileThatIsReplacedKeepsItsPermissions) {
  const mode_t mask = ::umask(022);
  for (const mode_t mode : {0600, 0640, 0644, 0666, 0400}) {
    nn::save(make_model(), file());
    ASSERT_EQ(::chmod(file().c_str(), mode), 0);
    nn::save(make_model(), file());
    EXPECT_EQ(fs::status(file()).permissions(), fs::perms(mode));
  }
  ::umask(mask);
}

TEST_F(Save, AFileBeingReplacedIsNeverWiderThanTheOldOne) {
  const mode_t mask = ::umask(0);
  write(file(), "old");
  ASSERT_EQ(::chmod(file().c_str(), 0600), 0);
  {
    nn::detail::AtomicFile half("save", file());
    half.write("new", 3);
    for (const auto& each : fs::directory_iterator(folder)) EXPECT_EQ(each.status().permissions(), fs::perms(0600));
  }
  ::umask(mask);
  EXPECT_EQ(read(file()), "old");
}

TEST_F(Save, AFileThatIsReplacedKeepsItsOwnerWhereThatIsAllowed) {
  if (::geteuid() != 0) return;  // others may not give files away
  write(file(), "old");
  ASSERT_EQ(::chown(file().c_str(), 65534, 65533), 0);
  ASSERT_EQ(::chmod(file().c_str(), 0640), 0);
  nn::save(make_model(), file());
  struct stat status {};
  ASSERT_EQ(::stat(file().c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 65534u);
  EXPECT_EQ(status.st_gid, 65533u);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
}

TEST_F(Save, ALinkStaysAndTheFileItNamesIsWritten) {
  fs::create_directories(folder / "runs" / "1");
  write(folder / "runs" / "1" / "a", "old");
  fs::create_symlink("1/a", folder / "runs" / "best");  // relative to its own folder
  fs::create_symlink(folder / "runs" / "best", file("latest"));
  nn::save_safetensors(file("latest"), {{"x", ones({2})}});
  EXPECT_TRUE(fs::is_symlink(file("latest")));
  EXPECT_TRUE(fs::is_symlink(folder / "runs" / "best"));
  EXPECT_FALSE(fs::is_symlink(folder / "runs" / "1" / "a"));
  EXPECT_EQ(nn::load_safetensors(folder / "runs" / "1" / "a").tensors[0].first, "x");

  fs::create_symlink("runs/new", file("dangling"));
  nn::save_safetensors(file("dangling"), {});
  EXPECT_TRUE(fs::is_symlink(file("dangling")));
  EXPECT_TRUE(fs::is_regular_file(folder / "runs" / "new"));

  fs::create_symlink("loop", file("loop"));
  EXPECT_TRUE(throws<std::runtime_error>([&] { nn::save_safetensors(file("loop"), {}); },
                                         {"save_safetensors", file("loop").string(), "symbolic links"}));
}

TEST_F(Save, WhatIsNoRegularFileIsNotReplaced) {
  ASSERT_EQ(::mkfifo(file("pipe").c_str(), 0600), 0);
  EXPECT_TRUE(throws<std::runtime_error>([&] { nn::save_safetensors(file("pipe"), {}); },
                                         {"save_safetensors", file("pipe").string(), "no regular file"}));
  EXPECT_TRUE(fs::is_fifo(file("pipe")));
  EXPECT_EQ(files(), 1u);
}

TEST_F(Save, WhatKilledSavesLeftIsRemovedAndWhatLivingOnesWriteIsNot) {
  const pid_t child = ::fork();
  if (child == 0) {
    nn::detail::AtomicFile half("save", file());
    half.write("half", 4);
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  ASSERT_EQ(files(), 1u) << "what the killed process left";

  // Other files whose names begin alike are not ours to remove.
  write(file("model.safetensors.tmp-mine"), "mine");
  write(file("model.safetensors.tmp-1-2.txt"), "mine");
  write(file("other.tmp-1-2"), "mine");
  nn::detail::AtomicFile living("save", file());
  living.write("living", 6);
  EXPECT_EQ(files(), 4u);
  nn::save(make_model(), file());
  EXPECT_EQ(files(), 5u);
  living.commit();
  EXPECT_EQ(read(file()), "living");
  EXPECT_EQ(files(), 4u);
}

TEST_F(Save, SavesAtOnceLeaveOneWholeFile) {
  constexpr int writers = 4, rounds = 20;
  std::vector<Tensor> tensors;  // as many elements as each of them says
  for (int writer = 0; writer <= writers; ++writer)
    tensors.push_back(full({50 * (writer + 1)}, 50 * (writer + 1)).evaluate());
  const auto save_some = [&](int writer) {
    for (int i = 0; i < rounds; ++i) nn::save_safetensors(file(), {{"x", tensors[static_cast<std::size_t>(writer)]}});
  };
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      save_some(writers);
      ::_exit(0);
    } catch (...) {
      ::_exit(1);
    }
  }
  std::vector<std::jthread> threads;
  for (int writer = 0; writer < writers; ++writer) threads.emplace_back(save_some, writer);
  threads.clear();
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  const Tensor x = nn::load_safetensors(file()).tensors.at(0).second;
  EXPECT_EQ(x.size(), x.slice(0).item());
  EXPECT_EQ(files(), 1u);
}

}  // namespace
