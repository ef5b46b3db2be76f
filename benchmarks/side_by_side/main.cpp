// Runs each workload three ways, side by side in one process, and prints medians and ratios.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <examples/command_line.hpp>
#include <algorithm>
#include <autodiff/autodiff.hpp>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <regex>

#include "report.hpp"
#include "workloads.hpp"

extern "C" {
__attribute__((weak)) char* openblas_get_corename();
}

namespace {

using bench::Implementation;
using Clock = std::chrono::steady_clock;

double seconds_of(const Implementation& implementation, std::size_t times) {
  const auto start = Clock::now();
  for (std::size_t i = 0; i < times; ++i) implementation.run();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}
double quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, static_cast<std::size_t>(share * static_cast<double>(values.size())))];
}

/// Throws std::runtime_error when two ways do not agree.
void compare(const std::string& workload, const std::string& way, const std::vector<float>& expected, const std::vector<float>& actual) {
  if (actual.size() != expected.size()) throw std::runtime_error(workload + ": " + way + " gives another number of results");
  double size = 0;
  for (const float value : expected) size = std::max(size, std::abs(static_cast<double>(value)));
  for (std::size_t i = 0; i < expected.size(); ++i)
    if (!(std::abs(static_cast<double>(actual[i]) - static_cast<double>(expected[i])) <= 2e-4 * size))
      throw std::runtime_error(workload + ": " + way + " gives " + std::to_string(actual[i]) + " at " + std::to_string(i) + ", xgrad " +
                               std::to_string(expected[i]));
}

bench::Figures measure(const bench::Workload& workload, const std::vector<std::pair<std::string, Implementation>>& ways, int rounds,
                       double round_seconds) {
  bench::Figures figures;
  figures.workload = workload;
  std::vector<std::size_t> times;
  for (const auto& [name, way] : ways) {
    double once = seconds_of(way, 1);
    if (once > 0.1) {  // an epoch
      rounds = std::min(rounds, 5);
    } else {
      seconds_of(way, 2);  // what the first runs set up
      once = std::max(seconds_of(way, 3) / 3, 1e-9);
    }
    times.push_back(std::max<std::size_t>(1, static_cast<std::size_t>(round_seconds / once)));
  }
  std::vector<std::vector<double>> seconds(ways.size());
  for (int round = 0; round < rounds; ++round)
    for (std::size_t k = 0; k < ways.size(); ++k) {  // in another order each round
      const std::size_t way = (k + static_cast<std::size_t>(round)) % ways.size();
      seconds[way].push_back(seconds_of(ways[way].second, times[way]) / static_cast<double>(times[way]) / workload.units);
    }
  for (std::size_t way = 0; way < ways.size(); ++way) {
    figures.seconds[ways[way].first] = median(seconds[way]);
    std::vector<double> ratios;
    for (std::size_t round = 0; round < seconds[way].size(); ++round) ratios.push_back(seconds[way][round] / seconds[0][round]);
    figures.over_xgrad[ways[way].first] = median(ratios);
  }
  if (workload.name.starts_with("inference")) {
    std::vector<double> latencies;
    for (int i = 0; i < 2000; ++i) latencies.push_back(seconds_of(ways[0].second, 1));
    figures.p50 = quantile(latencies, 0.5);
    figures.p99 = quantile(latencies, 0.99);
  }
  if (ways[0].second.memory) figures.peak_over_needed = ways[0].second.memory();
  return figures;
}

/// On processors younger than itself OpenBLAS takes kernels for older ones, of 2004 at the worst. It chooses when it is loaded, so
/// the program starts again and tells it.
void choose_blas_kernels(char** arguments) {
  if (!openblas_get_corename || std::getenv("OPENBLAS_CORETYPE")) return;
#if defined(__x86_64__)
  const std::string chosen = openblas_get_corename();
  const bool avx512 = __builtin_cpu_supports("avx512bw"), avx2 = __builtin_cpu_supports("avx2");
  const bool has_avx512 = chosen == "SkylakeX" || chosen == "Cooperlake" || chosen == "SapphireRapids";
  const char* core = avx512 && !has_avx512 ? "SkylakeX" : avx2 && chosen == "Prescott" ? "Haswell" : nullptr;
  if (!core) return;
  std::cout << "OpenBLAS would use its kernels for " << chosen << "; taking those for " << core
            << " (OPENBLAS_CORETYPE), for all three.\n" << std::flush;
  setenv("OPENBLAS_CORETYPE", core, 1);
  execv("/proc/self/exe", arguments);
#endif
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"xgrad, libtorch and loops written by hand, side by side", "bench"};
  std::string filter = ".*", json, svg;
  int threads = 1, rounds = 15;
  double milliseconds = 20;
  int scaling = 0;
  bool no_torch = false, list = false, check = false;
  app.add_option("--filter", filter, "Only workloads whose name this regular expression finds")->capture_default_str();
  app.add_option("--threads", threads, "Threads of all three")->check(CLI::Range(1, 1024))->capture_default_str();
  app.add_option("--rounds", rounds, "Rounds of each workload")->check(CLI::Range(1, 10000))->capture_default_str();
  app.add_option("--milliseconds", milliseconds, "What each way runs for in a round")->check(CLI::Range(0.1, 60000.0))->capture_default_str();
  app.add_option("--scaling", scaling, "Also how much faster xgrad is with so many threads than with one")->check(CLI::Range(2, 1024));
  app.add_option("--json", json, "Write the figures to this file");
  app.add_option("--svg", svg, "Draw the ratios to this file");
  app.add_flag("--no-torch", no_torch, "Leave libtorch out");
  app.add_flag("--list", list, "Name the workloads and stop");
  app.add_flag("--check", check, "Exit with 1 when a bar is missed");
  app.failure_message(command_line::failure_message);
  CLI11_PARSE(app, argc, argv);
  try {
    if (list) {
      for (const bench::Workload& workload : bench::workloads()) std::cout << workload.name << '\n';
      return 0;
    }
    const std::regex wanted(filter);
    choose_blas_kernels(argv);
    xgrad::set_num_threads(threads);
    bench::set_torch_threads(threads);
    const bench::Implementations xgrad = bench::xgrad_workloads(), floors = bench::floor_workloads();
    bench::Implementations torch = bench::torch_workloads();
    if (no_torch) torch.clear();
    else if (torch.empty()) std::cout << "libtorch was not found when this was built: left out (Debian: libtorch-dev).\n";

    std::vector<bench::Figures> all;
    bench::print_header(std::cout);
    for (const bench::Workload& workload : bench::workloads()) {
      if (!std::regex_search(workload.name, wanted)) continue;
      std::vector<std::pair<std::string, Implementation>> ways{{"xgrad", xgrad.at(workload.name)()}};
      if (torch.contains(workload.name)) ways.emplace_back("libtorch", torch.at(workload.name)());
      if (floors.contains(workload.name)) ways.emplace_back("floor", floors.at(workload.name)());
      const std::vector<float> expected = ways[0].second.result();
      for (std::size_t k = 1; k < ways.size(); ++k) compare(workload.name, ways[k].first, expected, ways[k].second.result());
      all.push_back(measure(workload, ways, rounds, milliseconds * 1e-3));
      if (scaling > 0) {
        const auto with = [&](int n) {
          return Implementation{[run = ways[0].second.run, n] {
                                  xgrad::set_num_threads(n);
                                  run();
                                }, {}};
        };
        all.back().speedup = 1 / measure(workload, {{"one", with(1)}, {"several", with(scaling)}}, rounds, milliseconds * 1e-3).over_xgrad["several"];
        xgrad::set_num_threads(threads);
      }
      bench::print_row(std::cout, all.back());
    }
    if (all.empty()) throw std::invalid_argument("--filter: no workload's name matches " + filter);
    const bench::Machine machine{threads, bench::torch_version(), openblas_get_corename ? openblas_get_corename() : "", BENCH_FLAGS};
    if (!json.empty()) bench::write_json(json, machine, all);
    if (!svg.empty()) bench::write_svg(svg, all);
    const bool missed = std::any_of(all.begin(), all.end(), [](const bench::Figures& figures) { return !figures.meets_bars(); });
    return check && missed ? 1 : 0;
  } catch (const std::exception& error) {
    std::cerr << "bench: " << error.what() << '\n';
    return 2;
  }
}
