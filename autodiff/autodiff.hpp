// All of the engine.
#pragma once

#include <autodiff/backward.hpp>
#include <autodiff/evaluate/evaluate.hpp>
#include <autodiff/evaluate/threads.hpp>
#include <autodiff/gradcheck.hpp>
#include <autodiff/graph.hpp>
#include <autodiff/ops/convolution.hpp>
#include <autodiff/ops/create.hpp>
#include <autodiff/ops/decompositions.hpp>
#include <autodiff/ops/elementwise.hpp>
#include <autodiff/ops/index.hpp>
#include <autodiff/ops/linalg.hpp>
#include <autodiff/ops/products.hpp>
#include <autodiff/ops/rearrange.hpp>
#include <autodiff/ops/reduce.hpp>
#include <autodiff/ops/scan.hpp>
#include <autodiff/ops/shape.hpp>
#include <autodiff/ops/sort.hpp>
#include <autodiff/ops/special.hpp>
#include <autodiff/ops/statistics.hpp>
#include <autodiff/ops/update.hpp>
#include <autodiff/random.hpp>
#include <autodiff/tape.hpp>
#include <autodiff/tensor.hpp>
#include <autodiff/transforms.hpp>
