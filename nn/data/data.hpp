// Getting data to a model: readers, scaling, mini-batches.
#pragma once

#include <nn/data/csv.hpp>
#include <nn/data/dataset.hpp>
#include <nn/data/idx.hpp>
#include <nn/data/scaling.hpp>
