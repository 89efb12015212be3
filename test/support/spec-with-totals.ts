/** Mocha's spec reporter, which also leaves the run's totals in a file for a program to read. */
import { writeFileSync } from "node:fs";
import Mocha from "mocha";

/** The variable that names the file; without it nothing is written. Its line: passed, failed, skipped. */
const FILE_VARIABLE = "MILLRACE_TEST_TOTALS";

export default class SpecWithTotals extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    const file = process.env[FILE_VARIABLE];
    if (!file) return;
    runner.once(Mocha.Runner.constants.EVENT_RUN_END, () => {
      const { passes, failures, pending } = this.stats;
      writeFileSync(file, `${passes} ${failures} ${pending}\n`);
    });
  }
}
