// octavo chat MODEL
#include <cstdio>
#include <memory>

#include "commands.hpp"
#include "conversation.hpp"
#include "log.hpp"
#include "run_options.hpp"
#include "token_choice.hpp"

namespace cli {

namespace {

struct ChatCommand {
  std::string model;
  ConversationSettings settings;
  TokenChoice choice;
  RunOptions run;
};

int run(ChatCommand& command) {
  octavo::GenerateOptions& job = command.settings.job;
  if (command.settings.system && command.settings.system->find_first_not_of(" \t\r\n") == std::string::npos)
    throw UsageError("--system is empty: leave it out");
  constexpr std::int64_t kUsualAnswer = 1024;
  job.max_new_tokens = job.max_new_tokens.value_or(kUsualAnswer);
  job.cache_dtype = command.run.cache_dtype();
  job.sampling = command.choice.sampling();
  const octavo::Model model = octavo::Model::open(command.model, command.run.model());
  print_notes("octavo", model);
  return Conversation(model, command.settings).run();
}

}  // namespace

void add_chat(Program& program) {
  const auto options = std::make_shared<ChatCommand>();
  Command command = program.command("chat", "Running",
                                    "talk with a model about pictures, turn by turn\n\nA line of standard input is a "
                                    "question, answered on standard output; /image PATH shows a picture, /help lists "
                                    "the other commands. Of each turn only what is new is run. Ctrl-C stops an answer, "
                                    "the end of input the conversation.");
  command.positional({"MODEL", ValueKind::directory}, options->model, "the model directory");
  command.group("Input");
  command.texts("-i,--image", {"FILE", ValueKind::file}, options->settings.images,
                "a picture for the first question, may be repeated");
  command.text("--system", {"TEXT"}, options->settings.system, "a system prompt");
  command.pictures(options->settings.decode);
  command.flag("--control-tokens-as-text", options->settings.chat.control_tokens_as_text,
               "\"<|im_end|>\" and its like in a question are text: nobody speaks as the system");
  command.group("Choice of tokens");
  command.integer("-n,--max-new-tokens", options->settings.job.max_new_tokens, 1,
                  "at most so many tokens an answer (1024)");
  add_token_choice(command, options->choice);
  command.threads();
  command.group("Machine");
  add_kv_cache(command, options->run);
  add_model_options(command, options->run);
  command.example("octavo chat Qwen2.5-VL-3B-w8a8 --image street.jpg");
  command.run([options] { return run(*options); });
}

}  // namespace cli
