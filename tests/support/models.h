// The bundled models, loaded once per test process, and the referee's outputs for them.
#pragma once

#include <map>
#include <memory>
#include <string>

#include <QTest>

#include "core/checkpoint/checkpoint.h"
#include "core/models/model.h"

namespace tandem::test {

/// Opens a bundled model; fails the process with its error if that is not possible.
inline std::shared_ptr<const Model> bundled(const std::string& name) {
  static std::map<std::string, std::shared_ptr<const Model>> loaded;
  auto& model = loaded[name];
  if (!model) {
    auto opened = open_model(name);
    TANDEM_CHECK(opened.ok(), opened.error().message);
    model = *opened;
  }
  return model;
}

/// Rows "model": every bundled seed model.
inline void model_rows() {
  QTest::addColumn<QString>("model");
  for (const char* name : {"seed-teacher", "seed-llamba", "seed-hybrid"}) QTest::newRow(name) << name;
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
