// All of the network layer, and the engine with it.
#pragma once

#include <autodiff/autodiff.hpp>
#include <nn/activations.hpp>
#include <nn/data/data.hpp>
#include <nn/gradcheck.hpp>
#include <nn/init.hpp>
#include <nn/layers/linear.hpp>
#include <nn/layers/sequential.hpp>
#include <nn/losses.hpp>
#include <nn/module.hpp>
#include <nn/optim/adam.hpp>
#include <nn/optim/clip.hpp>
#include <nn/optim/schedule.hpp>
#include <nn/optim/sgd.hpp>
#include <nn/optim/train_step.hpp>
#include <nn/serialize/model.hpp>
#include <nn/serialize/safetensors.hpp>
