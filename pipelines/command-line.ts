/** What was typed: the verb, its arguments, and its flags by the path of their setting. */
import { Command, CommanderError, Option } from "commander";
import { didYouMean } from "../runners/nearest-name.js";
import { redact } from "../sql/redact.js";
import { type Setting, settings } from "./config/settings.js";
import { EXIT_USAGE, UsageError } from "./usage-error.js";
import type { VerbDescription } from "./verbs.js";

export interface ParsedCommand {
  readonly verb: string;
  readonly args: readonly string[];
  /** Only what was typed, by path, e.g. `generate.seed`. */
  readonly flags: ReadonlyMap<string, unknown>;
  /** Of `--config`. */
  readonly configFile: string | undefined;
}

/** What to print instead of running anything. */
export interface HelpAnswer {
  readonly help: string;
  readonly exitCode: number;
}

/** @throws UsageError for an unknown verb or flag, with the nearest one as a suggestion */
export function parseCommandLine(
  argv: readonly string[],
  verbs: readonly VerbDescription[],
): ParsedCommand | HelpAnswer {
  let parsed: ParsedCommand | undefined;
  let help = "";
  const program = new Command("millrace")
    .description("Runs Apache Beam pipelines as durable streams into PostgreSQL, each event exactly once.")
    .helpCommand(false)
    .exitOverride()
    .configureHelp({ showGlobalOptions: false })
    .configureOutput({
      writeOut: (text) => (help += text),
      writeErr: (text) => (help += text),
      outputError: () => undefined,
    });
  for (const verb of verbs) {
    const command = program
      .command(verb.name)
      .summary(verb.summary)
      .description(verb.summary)
      .copyInheritedSettings(program);
    if (verb.arguments !== undefined) command.arguments(verb.arguments);
    const options = addOptions(command, verb);
    command.action(() => {
      parsed = readCommand(command, verb, options);
    });
  }
  try {
    program.parse([...argv], { from: "user" });
  } catch (error) {
    return answerCommander(error, help, program);
  }
  return parsed ?? { help, exitCode: EXIT_USAGE };
}

type OptionsByPath = ReadonlyMap<string, Option>;

function addOptions(command: Command, verb: VerbDescription): OptionsByPath {
  const options = new Map<string, Option>();
  for (const path of verb.settings) {
    const setting = settings.get(path)!;
    const option = new Option(
      setting.value === null ? setting.flag : `${setting.flag} <${setting.value}>`,
      describe(setting),
    );
    options.set(path, option);
    command.addOption(option);
    // takes back what millrace.yaml or the environment turned on
    if (setting.value === null) command.addOption(new Option(setting.flag.replace("--", "--no-")).hideHelp());
  }
  command.option("--config <FILE>", "configuration file (default: millrace.yaml if there is one)");
  command.addHelpText("after", HELP_END);
  return options;
}

const HELP_END = `
Defaults < millrace.yaml < environment < flags. --quiet-ms is quietMs in millrace.yaml and MILLRACE_QUIET_MS in
the environment; a switch has its --no- form. Durations are ms or like 10s, sizes bytes or like 8MiB.`;

function describe({ help, default: initial }: Setting): string {
  return initial === undefined || initial === false ? help : `${help} (default: ${initial})`;
}

function readCommand(command: Command, verb: VerbDescription, options: OptionsByPath): ParsedCommand {
  const flags = new Map<string, unknown>();
  for (const [path, option] of options) {
    const name = option.attributeName();
    if (command.getOptionValueSource(name) === "cli") flags.set(path, command.getOptionValue(name));
  }
  const configFile = command.getOptionValue("config") as string | undefined;
  return { verb: verb.name, args: command.args, flags, configFile };
}

/** Help is an answer; everything else is what somebody has to put right. */
function answerCommander(error: unknown, help: string, program: Command): HelpAnswer {
  if (!(error instanceof CommanderError)) throw error;
  if (error.code === "commander.helpDisplayed") return { help, exitCode: 0 };
  if (error.code === "commander.help") return { help, exitCode: EXIT_USAGE };
  const text = error.message.replace(/^error: /, "");
  const typed = /^unknown (option|command) '([^'=]*)/.exec(text);
  if (typed === null) throw new UsageError([redact(text)]);
  // without what follows "=": it may be a password behind a misspelt flag
  const [, kind, name] = typed;
  if (kind === "command") {
    const known = program.commands.map((verb) => verb.name());
    throw new UsageError([`unknown command "${name}".${didYouMean(name!, known)}`]);
  }
  const { takers, others } = verbsByFlag(name!, program);
  if (takers.length > 0) {
    const verb = program.args[0]!;
    const rule = others.includes(verb) ? `${verb} does not take ${name}` : `${name} must follow its command`;
    throw new UsageError([`${rule}: it is for ${takers.join(", ")}.`]);
  }
  throw new UsageError([`unknown option "${name}".${didYouMean(name!, flagsOf(program))}`]);
}

/** The verbs that take a flag, and those that do not. */
function verbsByFlag(flag: string, program: Command): { takers: string[]; others: string[] } {
  const takes = ({ options }: Command) => options.some(({ long }) => long === flag);
  return {
    takers: program.commands.filter(takes).map((verb) => verb.name()),
    others: program.commands.filter((verb) => !takes(verb)).map((verb) => verb.name()),
  };
}

/** The flags of the verb that was typed, or those of all. */
function flagsOf(program: Command): string[] {
  const typed = program.commands.filter((verb) => verb.name() === program.args[0]);
  const verbs = typed.length > 0 ? typed : program.commands;
  return verbs.flatMap((verb) =>
    verb.options.filter((option) => !option.hidden).map((option) => option.long!),
  );
}
