// The bundled models, loaded once per test process, and the referee's outputs for them.
#pragma once

#include <map>
#include <memory>
#include <string>

#include <QTest>

#include "core/checkpoint/checkpoint.h"
#include "core/models/model.h"
#include "tests/support/devices.h"

namespace tandem::test {

/// Opens a bundled model; fails the process with its error if that is not possible.
inline std::shared_ptr<const Model> bundled(const std::string& name, Device* device = nullptr) {
  devices();  // outlive the models on them
  static std::map<std::pair<std::string, Device*>, std::shared_ptr<const Model>> loaded;
  auto& model = loaded[{name, device}];
  if (!model) {
    LoadOptions options;
    options.device = device;
    auto opened = open_model(name, options);
    TANDEM_CHECK(opened.ok(), opened.error().message);
    model = *opened;
  }
  return model;
}

/// Rows "model" and "device": every bundled seed model on every device.
inline void model_rows() {
  QTest::addColumn<QString>("model");
  QTest::addColumn<QString>("device");
  for (const char* name : {"seed-teacher", "seed-llamba", "seed-hybrid"})
    for (const auto& [device, unused] : devices()) QTest::addRow("%s, %s", name, device) << name << device;
}

/// Largest |a - b|; a NaN on either side gives infinity.
inline double max_abs_error(TensorView a, TensorView b) {
  TANDEM_CHECK(a.elements() == b.elements(),
               "tensors of different size: " + a.shape().str() + " and " + b.shape().str());
  double worst = 0;
  for (std::int64_t i = 0; i < a.elements(); ++i) {
    const double error = std::abs(static_cast<double>(a.f32()[i]) - static_cast<double>(b.f32()[i]));
    if (!(error <= worst)) worst = std::isnan(error) ? HUGE_VAL : error;
  }
  return worst;
}

}  // namespace tandem::test
