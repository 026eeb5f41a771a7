// Loading errors, and the same tokens through different paths: whole sequence and token by token, one and
// many completions, shared and private prompt, one and several threads.
#include <filesystem>
#include <fstream>

#include <QTemporaryDir>
#include <QTest>

#include "core/models/decode_state.h"
#include "tests/support/models.h"

using namespace tandem;
using namespace tandem::test;
namespace fs = std::filesystem;

namespace {

std::vector<std::int32_t> example_ids(const Model& model, std::size_t count) {
  auto ids = model.tokenizer().encode(
      "Problem: Ava has 12 apples. Ben gives Ava 3 bags with 4 apples each. How many apples does Ava have "
      "now? Reason: Ava starts "
      "with 12 apples. The bags hold 3 * 4 = 12, so 12 + 12 = 24. The final answer is 24.");
  const auto once = ids;
  while (ids.size() < count) ids.insert(ids.end(), once.begin(), once.end());
  ids.resize(count);
  return ids;
}

/// Logits of every position after `prompt` tokens, decoded one at a time in `slot`.
Tensor decode_logits(const Model& model, Context& context, std::span<const std::int32_t> ids,
                     std::int64_t prompt, bool private_prefix) {
  DecodeState state(context, model, {prompt, 3, static_cast<std::int64_t>(ids.size()), private_prefix});
  const Tensor logits =
      results(context, {static_cast<std::int64_t>(ids.size()) - prompt + 1, model.info().vocab});
  model.prefill(context, ids.first(static_cast<std::size_t>(prompt)), &state, logits.view().rows(0, 1));
  const std::int32_t slot = 2;
  state.start_slot(slot);
  for (std::int64_t t = prompt; t < static_cast<std::int64_t>(ids.size()); ++t)
    model.step(context, state, {&ids[static_cast<std::size_t>(t)], 1}, {&slot, 1},
               logits.view().rows(t - prompt + 1, 1));
  return on_host(context, logits);
}

void copy_model(const char* name, const fs::path& to) {
  fs::copy(bundled(name)->info().path, to, fs::copy_options::recursive);
}

void edit(const fs::path& file, const std::string& from, const std::string& to) {
  std::ifstream in(file);
  std::string text((std::istreambuf_iterator<char>(in)), {});
  const auto at = text.find(from);
  TANDEM_CHECK(at != std::string::npos, "nothing to edit");
  text.replace(at, from.size(), to);
  std::ofstream(file) << text;
}

}  // namespace

class TestModels : public QObject {
  Q_OBJECT
 private slots:
  void describes_bundled_models() {
    const auto teacher = bundled("seed-teacher");
    QVERIFY(teacher->info().is_pure_attention());
    QCOMPARE(teacher->info().cache_bytes_per_token(), std::int64_t{6 * 2 * 2 * 32 * 4});
    QCOMPARE(teacher->info().state_bytes(), std::int64_t{0});
    const auto llamba = bundled("seed-llamba");
    QCOMPARE(llamba->info().cache_bytes_per_token(), std::int64_t{0});
    QCOMPARE(llamba->info().state_bytes(), std::int64_t{6 * (3 * 384 + 4 * 32 * 32) * 4});
    const auto hybrid = bundled("seed-hybrid");
    QCOMPARE(hybrid->info().layers[1].mixer, MixerKind::Attention);
    QCOMPARE(hybrid->info().layers[0].mixer, MixerKind::HybridMamba2);
    QCOMPARE(hybrid->info().layers[4].mixer, MixerKind::Attention);
    QCOMPARE(hybrid->info().sha256.size(), std::size_t{64});
  }

  void whole_sequence_equals_token_by_token_data() {
    QTest::addColumn<QString>("model");
    QTest::addColumn<QString>("device");
    QTest::addColumn<int>("prompt");
    QTest::addColumn<int>("length");
    for (const char* name : {"seed-teacher", "seed-llamba", "seed-hybrid"})
      for (const auto& [prompt, length] :
           {std::pair{1, 6}, {2, 7}, {3, 8}, {4, 9}, {5, 40}, {127, 131}, {128, 131}, {129, 135}})
        for (const auto& [device, unused] : devices())
          QTest::addRow("%s, %s, %d then %d", name, device, prompt, length - prompt)
              << name << device << prompt << length;
  }
  void whole_sequence_equals_token_by_token() {
    QFETCH(QString, model);
    QFETCH(QString, device);
    QFETCH(int, prompt);
    QFETCH(int, length);
    const auto loaded = bundled(model.toStdString(), device_of(device));
    Context context(2, loaded->device());
    const auto ids = example_ids(*loaded, static_cast<std::size_t>(length));
    const Tensor prefilled = results(context, {length, loaded->info().vocab});
    loaded->prefill(context, ids, nullptr, prefilled);
    const Tensor whole = on_host(context, prefilled);
    for (const bool private_prefix : {false, true}) {
      const Tensor stepped = decode_logits(*loaded, context, ids, prompt, private_prefix);
      QCOMPARE_LE(max_abs_error(whole.view().rows(prompt - 1, length - prompt + 1), stepped), 2e-4);
    }
  }

  void batch_and_threads_do_not_change_logits_data() { model_rows(); }
  void batch_and_threads_do_not_change_logits() {
    QFETCH(QString, model);
    QFETCH(QString, device);
    const auto loaded = bundled(model.toStdString(), device_of(device));
    const auto ids = example_ids(*loaded, 40);
    Context one(1, loaded->device());
    Context three(3, loaded->device());
    const std::int64_t prompt = 20;
    const std::int64_t batch = 64;
    const Tensor alone = decode_logits(*loaded, one, ids, prompt, false);
    DecodeState state(three, *loaded, {prompt, batch, 32, false});
    const Tensor logits = results(three, {batch, loaded->info().vocab});
    loaded->prefill(three, std::span(ids).first(prompt), &state, logits.view().rows(0, 1));
    std::vector<std::int32_t> all(batch);
    for (std::int32_t slot = 0; slot < batch; ++slot) {
      all[static_cast<std::size_t>(slot)] = slot;
      state.start_slot(slot);
    }
    for (std::int64_t t = prompt; t < 40; ++t) {
      const std::vector<std::int32_t> tokens(batch, ids[static_cast<std::size_t>(t)]);
      loaded->step(three, state, tokens, all, logits);
      const Tensor together = on_host(three, logits);
      for (std::int64_t slot = 0; slot < batch; slot += 9)
        QCOMPARE_LE(max_abs_error(together.view().rows(slot, 1), alone.view().rows(t - prompt + 1, 1)), 2e-4);
    }
  }

  void bad_models_are_explained() {
    QTemporaryDir folder;
    const fs::path base = folder.path().toStdString();
    const auto error_of = [](const fs::path& path) {
      auto opened = open_model(path.string());
      return opened.ok() ? std::string("opened") : opened.error().message;
    };
    QVERIFY(error_of("no-such-model").find("seed-teacher") != std::string::npos);

    copy_model("seed-teacher", base / "shape");
    edit(base / "shape/config.json", "\"intermediate_size\": 384", "\"intermediate_size\": 400");
    const std::string shape = error_of(base / "shape");
    QVERIFY2(shape.find("[384, 128]") != std::string::npos && shape.find("[400, 128]") != std::string::npos,
             shape.c_str());

    copy_model("seed-teacher", base / "layers");
    edit(base / "layers/config.json", "\"num_hidden_layers\": 6", "\"num_hidden_layers\": 5");
    const std::string layers = error_of(base / "layers");
    QVERIFY2(layers.find("model.layers.5.") != std::string::npos &&
                 layers.find("not expected") != std::string::npos,
             layers.c_str());

    copy_model("seed-hybrid", base / "missing");
    edit(base / "missing/mamba_config.json", "  1,\n  4", "  2,\n  4");
    const std::string missing = error_of(base / "missing");
    QVERIFY2(missing.find("missing") != std::string::npos, missing.c_str());

    copy_model("seed-llamba", base / "truncated");
    fs::resize_file(base / "truncated/model.safetensors", 1000000);
    const std::string truncated = error_of(base / "truncated");
    QVERIFY2(truncated.find("model.safetensors") != std::string::npos, truncated.c_str());
  }
};

QTEST_GUILESS_MAIN(TestModels)
#include "tst_models.moc"
