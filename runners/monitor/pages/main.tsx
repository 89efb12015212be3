/** Starts the pages: theme, token, address, live figures, then the first drawing. */
import { render } from "preact";
import { App } from "./app.js";
import { followVisibility } from "./live/live.js";
import { followLinks } from "./navigation.js";
import { startTheme } from "./theme.js";
import { takeTokenFromAddress } from "./token.js";

startTheme();
takeTokenFromAddress();
followLinks();
followVisibility();
const root = document.getElementById("page");
if (root === null) throw new Error('The page needs an element with the id "page"');
render(<App />, root);
