// tandem-cli devices: what models can run on here, and why not on what is missing.
#include "core/devices/devices.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/output.h"
#include "core/models/memory_plan.h"

namespace tandem::cli {
namespace {

int listDevices(bool json) {
  const DeviceList& list = devices();
  if (json) {
    nlohmann::json object = {{"devices", nlohmann::json::array()}, {"no_cuda", list.no_cuda}};
    for (const DeviceEntry& entry : list.present)
      object["devices"].push_back({{"id", entry.id},
                                   {"name", entry.name},
                                   {"memory_bytes", entry.memory_bytes},
                                   {"free_bytes", available_memory(entry.device)}});
    printJson(object);
    return 0;
  }
  Table table({"device", "name", "free memory"});
  for (const DeviceEntry& entry : list.present)
    table.addRow({entry.id, entry.name, bytesText(available_memory(entry.device))});
  table.print();
  if (!list.no_cuda.empty()) fmt::print("cuda is not to be had: {}\n", list.no_cuda);
  return 0;
}

}  // namespace

void addDevicesCommand(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("devices", "Lists what models can run on");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "Print JSON");
  command->callback([json, &action] { action = [json] { return listDevices(*json); }; });
}

}  // namespace tandem::cli
