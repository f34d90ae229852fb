// octavo inspect MODEL
#include <cstdio>
#include <memory>

#include "commands.hpp"

namespace cli {

namespace {

struct InspectCommand {
  std::string model;
  bool json = false;
};

int run(const InspectCommand& command) {
  const octavo::Json document = octavo::inspect(command.model).build();
  if (command.json) {
    std::printf("%s\n", document.dump(2).c_str());
    return 0;
  }
  for (const char* key : {"model_type", "quantized", "parameters", "bytes", "int8_linears", "shards"})
    std::printf("%-14s %s\n", key, document.at(key).dump().c_str());
  const octavo::Json tensors = document.at("tensors");
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const octavo::Json tensor = tensors.at(i);
    std::printf("  %-5s %-20s %s\n", tensor.at("dtype").as_string().c_str(), tensor.at("shape").dump().c_str(),
                tensor.at("name").as_string().c_str());
  }
  return 0;
}

}  // namespace

void add_inspect(Program& program) {
  const auto options = std::make_shared<InspectCommand>();
  Command command = program.command("inspect", "Models", "show what a model directory holds");
  command.positional({"MODEL", ValueKind::directory}, options->model, "the model directory");
  command.group("Output");
  command.json(options->json);
  command.example("octavo inspect Qwen2.5-VL-3B-w8a8");
  command.run([options] { return run(*options); });
}

}  // namespace cli
