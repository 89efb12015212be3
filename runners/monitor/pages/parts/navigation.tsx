/** Where one can go, and how the pages look. */
import { useEffect, useRef } from "preact/hooks";
import { type PageName, pageGroups, pathOf } from "../route.js";
import { chooseTheme, type ThemeChoice, useTheme } from "../theme.js";

const themes: readonly { readonly choice: ThemeChoice; readonly title: string }[] = [
  { choice: "system", title: "Auto" },
  { choice: "light", title: "Light" },
  { choice: "dark", title: "Dark" },
];

export function Navigation({ page }: { readonly page: PageName | null }) {
  const current = useRef<HTMLAnchorElement>(null);
  // another page is another current link
  useEffect(() => {
    // on a phone the links are a strip of which only a part is seen
    current.current?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [page]);
  return (
    <div class="side">
      <nav aria-label="Pages">
        {pageGroups.map(({ group, pages }) => (
          <div class="nav-group" key={group}>
            <span class="nav-title">{group}</span>
            <ul>
              {pages.map((entry) => (
                <li key={entry.page}>
                  <a
                    href={pathOf({ page: entry.page, id: null })}
                    {...(entry.page === page ? { "aria-current": "page", ref: current } : {})}
                  >
                    {entry.title}
                  </a>
                </li>
              ))}
            </ul>
          </div>
        ))}
      </nav>
      <ThemeSwitch />
    </div>
  );
}

function ThemeSwitch() {
  const { choice } = useTheme();
  return (
    <section class="look" aria-label="Appearance">
      <fieldset class="switch">
        <legend>Appearance</legend>
        {themes.map((entry) => (
          <label key={entry.choice}>
            <input
              type="radio"
              name="theme"
              checked={entry.choice === choice}
              onChange={() => chooseTheme(entry.choice)}
            />
            <span class="switch-face">{entry.title}</span>
          </label>
        ))}
      </fieldset>
    </section>
  );
}
