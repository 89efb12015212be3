/** Which page an address asks for. */

export type PageName =
  | "overview"
  | "graph"
  | "batches"
  | "checkpoints"
  | "files"
  | "dead-letters"
  | "shop"
  | "environment";

export interface Route {
  readonly page: PageName;
  /** What of it: a step's path, an epoch, a letter's id. */
  readonly id: string | null;
}

interface PageEntry {
  readonly page: PageName;
  readonly title: string;
}

export const pageGroups: readonly { readonly group: string; readonly pages: readonly PageEntry[] }[] = [
  {
    group: "Job",
    pages: [
      { page: "overview", title: "Overview" },
      { page: "graph", title: "Graph" },
      { page: "batches", title: "Batches" },
      { page: "checkpoints", title: "Checkpoints" },
    ],
  },
  {
    group: "Data",
    pages: [
      { page: "files", title: "Files" },
      { page: "dead-letters", title: "Dead letters" },
      { page: "shop", title: "Shop" },
    ],
  },
  { group: "Setup", pages: [{ page: "environment", title: "Environment" }] },
];

const pages = pageGroups.flatMap((group) => group.pages);

/** The route of a path; null where no page is. */
export function parseRoute(pathname: string): Route | null {
  const [name = "", ...rest] = pathname.replace(/^\/+|\/+$/g, "").split("/");
  const page = pages.find((known) => known.page === (name === "" ? "overview" : name))?.page;
  if (page === undefined) return null;
  return { page, id: rest.length === 0 ? null : decode(rest.join("/")) };
}

/** The path of a route: `parseRoute` takes it back. */
export function pathOf({ page, id }: Route): string {
  const base = page === "overview" ? "/" : `/${page}`;
  return id === null ? base : `${base}/${encodeURIComponent(id)}`;
}

export function titleOf(page: PageName): string {
  return pages.find((known) => known.page === page)?.title ?? page;
}

/** An address that somebody mistyped is no reason to fail. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
