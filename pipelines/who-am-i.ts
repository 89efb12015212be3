/** Who gives a command, as it is kept beside what was asked for. */
import { hostname, userInfo } from "node:os";

/** `user@host`: a number where the account has no name, as in some containers. */
export function whoAmI(): string {
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_SYSTEM_ERROR") throw error;
    return `${process.getuid?.()}@${hostname()}`;
  }
}
